"""Databases of earlier releases, filled by their own code: `python -m tests.portal.released VERSION` makes one.

Run it on the commit that is released, once, and commit what it makes: the next releases have to migrate it. Peppers and
keys in it belong to no installation.
"""
