"""Leaked tokens: reports of code hosts and of whoever holds one, what is done about them, and who is told."""
