"""The command line `latchkey`: keys of a company, from a shell or a CI job. See `latchkey --help`."""

from __future__ import annotations

from latchkey.cli.commands import main

__all__ = ["main"]
