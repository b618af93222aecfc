"""Incidents: what was done about one leak or misuse, kept together for the day itself and for the post-mortem."""
