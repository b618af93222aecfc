"""Usage: what keys were used for, counted in memory (or Redis) and written in bulk."""
