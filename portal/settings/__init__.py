"""Settings of the portal, a module for each subject: safe defaults for one machine, all else by environment variables.

README.md has the table of variables; a test holds it against this package.
"""

# ruff: noqa: F403 - Django finds every setting of these modules here

from portal.settings.api import *
from portal.settings.applications import *
from portal.settings.data import *
from portal.settings.keys import *
from portal.settings.pages import *
from portal.settings.people import *
from portal.settings.queues import *
from portal.settings.run import *
from portal.settings.watching import *
