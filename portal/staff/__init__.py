"""Pages of the operator's staff, and Django's admin."""
