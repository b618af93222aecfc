"""`python -m latchkey`: the command line."""

from __future__ import annotations

import sys

from latchkey.cli import main

sys.exit(main())
