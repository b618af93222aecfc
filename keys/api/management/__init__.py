"""The management API: what the key pages do, for a company's scripts, under a management token."""
