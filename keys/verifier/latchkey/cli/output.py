"""How the command line writes: tables for people, JSON for programs, secrets to one place only."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from latchkey.cli.api import CommandError


def plain(value: Any) -> str:
    """`value` on one line, without characters that could steer a terminal."""
    if value is None:
        return "-"
    if isinstance(value, Mapping):
        value = value.get("name") or value.get("id") or ""
    if isinstance(value, Sequence) and not isinstance(value, str):
        value = " ".join(map(str, value))
    return "".join(letter if letter.isprintable() else "?" for letter in str(value))


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """`rows` in columns as wide as needed."""
    lines = [[column.upper().replace("_", " ") for column in columns]]
    lines += [[plain(row.get(column)) for column in columns] for row in rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def facts(row: Mapping[str, Any]) -> str:
    """`row` as lines of name and value."""
    width = max(map(len, row), default=0)
    return "\n".join(f"{name.replace('_', ' '):<{width}}  {plain(value)}" for name, value in row.items())


def as_json(value: Any) -> str:
    """`value` as JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def reserve(path: str) -> None:
    """Make the file `path`, for its owner alone, before there is a key to write into it. Raises CommandError if it is
    there already: a key must not replace, or be readable with the rights of, something else.
    """
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise CommandError(f"{path} cannot be made: {error.strerror}.") from None


def hand_over(secret: str, path: str | None) -> None:
    """Print `secret`, or write it into the file that was reserved."""
    if path is None:
        sys.stdout.write(secret + "\n")
        return
    Path(path).write_text(secret + "\n", encoding="ascii")
    sys.stderr.write(f"The key is in {path}. It is not shown again.\n")
