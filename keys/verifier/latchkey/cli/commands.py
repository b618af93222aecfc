"""`latchkey`: its commands and their arguments.

Exit codes: 0 done, or the key is good; 1 refused, or the key is not good; 2 wrong arguments; 3 no token, or one that
may not do this; 4 the portal does not answer.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from latchkey.cli import keys, scan, servers
from latchkey.cli.api import CommandError
from latchkey.version import __version__

_ENVIRONMENT = """environment:
  LATCHKEY_URL         the portal's address, such as https://portal.example.com
  LATCHKEY_TOKEN       the company's management token (lk_mgt_…): for keys, servers and snippet
  LATCHKEY_CREDENTIAL  an MCP server's credential (lk_srv_…): for verify
  LATCHKEY_KEY         a key (lk_live_… or lk_test_…): for verify and whoami

exit codes: 0 done; 1 refused or not good; 2 wrong arguments; 3 no token or not allowed; 4 the portal does not answer
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    asked = _parser().parse_args(arguments)
    try:
        return int(asked.run(asked) or 0)
    except CommandError as error:
        sys.stderr.write(f"latchkey: {error.message}\n")
        return error.code
    except BrokenPipeError:
        # The reader (head, grep -q) has what it wanted; nothing more can be said to it, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="latchkey",
        description="Manage a company's API keys, and check keys.",
        epilog=_ENVIRONMENT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"latchkey {__version__}")
    parser.add_argument("--url", default=os.environ.get("LATCHKEY_URL", ""), help="the portal's address")
    commands = parser.add_subparsers(required=True, metavar="command")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print JSON")
    keys.add_to(commands, common)
    servers.add_to(commands, common)
    scan.add_to(commands, common)
    return parser
