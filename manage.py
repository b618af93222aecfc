#!/usr/bin/env python3
"""Django's command line. Started by any Python, it first finds or makes the environment (portal/bootstrap.py)."""

import os
import sys


def main() -> None:
    """Run the command of the command line in the project's environment; `test` is pytest."""
    if sys.version_info < (3, 8):
        sys.exit("Start Latchkey with Python 3.8 or newer: python3 manage.py " + " ".join(sys.argv[1:]))
    from portal import bootstrap

    bootstrap.enter(sys.argv)  # returns in the environment only
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:  # a variable is wrong: say which, without a stack trace
        sys.exit(str(error))


if __name__ == "__main__":
    main()
