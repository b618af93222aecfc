"""The portal's settings, for tests with real processes: a killed worker's task comes back in seconds, not minutes."""

from portal.settings import *  # noqa: F403

CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 4,
    "polling_interval": 0.2,
    "unacked_restore_interval": 1,
    "unacked_restore_throttle": 1,
}
