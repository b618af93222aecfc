"""Revoking by rule: what the rule finds, and the run that revokes it batch by batch."""
