"""`latchkey scan`: finds Latchkey tokens in files or standard input, offline.

The check at a token's end tells a real one from a string that only looks like one, so there are next to no false
alarms. What is found is printed without its secret. As a hook before each commit:

    git diff --cached --unified=0 | latchkey scan -

A line with `latchkey:allow` on it is passed over, and so are ids that begin with EXAMPLE.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Final

from latchkey.cli import output
from latchkey.cli.api import REFUSED, CommandError
from latchkey.tokens import kind_of

LARGEST_LINE: Final = 1024 * 1024  # longer lines are read in parts that overlap by a token's length
_OVERLAP: Final = 128
_ALLOWED: Final = b"latchkey:allow"
_EXAMPLE: Final = "EXAMPLE"
_TOKEN: Final = re.compile(rb"(?<![0-9A-Za-z_])lk_[a-z]{3,4}_[0-9A-Za-z]{12}_[0-9A-Za-z]{38}(?![0-9A-Za-z_])")
_KINDS: Final = {
    "live": "API key", "test": "API key of a development portal", "srv": "server credential",
    "mgt": "management token", "oat": "OAuth access token", "ort": "OAuth refresh token",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Finding:
    """A token that stands somewhere: all of it but the secret."""

    path: str
    line: int
    kind: str
    token: str


def scan(stream: BinaryIO, path: str) -> Iterator[Finding]:
    """The tokens in `stream`, in their order. Binary files are read like any other."""
    number, before = 1, b""
    while line := stream.readline(LARGEST_LINE):
        text = before + line
        if _ALLOWED not in text:
            for found in _TOKEN.finditer(text):
                # What stood in the overlap whole was found in the part before.
                if found.end() > len(before):
                    finding = _finding(found[0].decode("ascii"), path, number)
                    if finding:
                        yield finding
        if line.endswith(b"\n"):
            number, before = number + 1, b""
        else:
            before = text[-_OVERLAP:]


def _finding(text: str, path: str, line: int) -> Finding | None:
    kind = kind_of(text)
    identifier = text.split("_")[2]
    if kind is None or identifier.startswith(_EXAMPLE):
        return None
    return Finding(path, line, _KINDS[kind], f"lk_{kind}_{identifier}_…")


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the command to the parser."""
    command = commands.add_parser(
        "scan", parents=[common], help="find keys that were left in files; asks nobody",
        description="Find Latchkey tokens in files, folders or standard input (-). Exit code 1: some were found.",
    )  # fmt: skip
    command.add_argument("paths", nargs="+", metavar="PATH", help="files, folders, or - for standard input")
    command.set_defaults(run=run)


def run(asked: argparse.Namespace) -> int:
    """Print what is found; 1 if anything is."""
    findings = [finding for path in asked.paths for finding in _scan_path(path)]
    if asked.json:
        sys.stdout.write(output.as_json([asdict(finding) for finding in findings]) + "\n")
    else:
        for one in findings:
            sys.stdout.write(f"{output.plain(one.path)}:{one.line}: {one.kind} {one.token}\n")
    if findings:
        sys.stderr.write(
            "latchkey: take them out, and revoke them in the portal: whoever reads the file can use them. "
            "A line with latchkey:allow on it is passed over.\n"
        )
    return REFUSED if findings else 0


def _scan_path(path: str) -> Iterator[Finding]:
    if path == "-":
        yield from scan(sys.stdin.buffer, "standard input")
    elif Path(path).is_dir():
        for folder, folders, files in os.walk(path):
            folders[:] = sorted(name for name in folders if name != ".git")
            for name in sorted(files):
                yield from _scan_file(Path(folder, name), named=False)
    else:
        yield from _scan_file(Path(path), named=True)


def _scan_file(path: Path, *, named: bool) -> Iterator[Finding]:
    if not named and (path.is_symlink() or not path.is_file()):
        return
    try:
        with path.open("rb") as stream:
            yield from scan(stream, str(path))
    except OSError as error:
        if named:
            raise CommandError(f"{path} cannot be read: {error.strerror}.") from None
        sys.stderr.write(f"latchkey: {path} cannot be read: {error.strerror}.\n")
