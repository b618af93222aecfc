"""Pages of companies: the start, the team, invitations, settings."""
