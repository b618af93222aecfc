"""The portal's settings with a test database in memory: each mutant is tried in a forked process with its own copy."""

from portal.settings import *  # noqa: F403
from portal.settings import DATABASES

DATABASES["default"]["TEST"] = {"NAME": None}
