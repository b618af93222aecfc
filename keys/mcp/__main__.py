"""`python -m keys.mcp`: serve the portal's own MCP server until SIGTERM or Ctrl-C."""

from __future__ import annotations

import os
import signal
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import uvicorn

from keys.mcp import logs
from keys.mcp.config import Config, ConfigError

GRACE_SECONDS: Final = 10


def main() -> int:
    """Serve; 2 if a setting is wrong, with one sentence that says which."""
    if find_spec("latchkey") is None:  # a checkout: the wheel's source lies beside this package
        sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "verifier"))
    from keys.mcp.app import create_app
    from keys.mcp.patience import PatientProtocol

    try:
        config = Config.from_environment(os.environ)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    # uvicorn finishes what is in flight and then raises the signal anew: a requested stop should not look like a crash.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvicorn.run(
        create_app(config),
        host=config.host,
        port=config.port,
        http=PatientProtocol,
        log_config=logs.configuration(config.log_level, config.production),
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        limit_concurrency=1000,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
