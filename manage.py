#!/usr/bin/env python3
"""Django's command line; `up` and `test` first make the environment that they need (portal/bootstrap.py)."""

import os
import sys

if __name__ == "__main__":
    from django.core.management import execute_from_command_line

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    execute_from_command_line(sys.argv)
