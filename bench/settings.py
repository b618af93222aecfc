"""The portal's settings, with the baselines' addresses beside the portal's own."""

from portal.settings import *  # noqa: F403

ROOT_URLCONF = "bench.urls"
