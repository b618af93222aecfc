"""Celery: its broker, its queues, and what runs when."""

from __future__ import annotations

from typing import Any

from celery.schedules import crontab

from portal.settings.data import REDIS_URL
from portal.settings.run import DATA_DIR

CELERY_BROKER_URL = REDIS_URL or "filesystem://localhost//"
_queue = DATA_DIR / "queue"
# What a killed worker held comes again after as long as a task may take. Kombu looks for it every 100 s unless told
# otherwise: every 10 s here.
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = (
    {"visibility_timeout": 300, "unacked_restore_interval": 10, "unacked_restore_throttle": 1}
    if REDIS_URL
    else {
        "data_folder_in": str(_queue / "messages"),
        "data_folder_out": str(_queue / "messages"),
        "control_folder": str(_queue / "control"),
        "polling_interval": 0.1,
    }
)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_TIME_LIMIT = 300
CELERY_TASK_SOFT_TIME_LIMIT = 240
CELERY_TASK_DEFAULT_QUEUE = "latchkey"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A Redis that refuses to write (its disk or memory is full) does not end a worker: it tries again until it may.
CELERY_BROKER_CHANNEL_ERROR_RETRY = True
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
# Webhooks have a queue of their own: slow receivers then hold up nothing else, and its worker can stand where outgoing
# requests are allowed. So have mail, whose server can be slow, and usage, which comes all the time. portal/celery.py
# has workers take from every queue named here.
CELERY_TASK_ROUTES: dict[str, Any] = {
    "webhooks.tell_owners": {"queue": "mail"},
    "webhooks.*": {"queue": "webhooks"},
    "keys.notices": {"queue": "mail"},
    "incidents.*": {"queue": "mail"},
    "leaks.tell_owners": {"queue": "mail"},
    "reviews.tell": {"queue": "mail"},
    "usage.*": {"queue": "usage"},
    "keys.tell_holder": {"queue": "mail"},
}
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "beat-schedule")
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "heartbeat": {"task": "portal.tasks.heartbeat", "schedule": 5.0, "options": {"expires": 15}},
    "key-notices": {"task": "keys.notices", "schedule": 600.0, "options": {"expires": 600}},
    "oauth-purge": {"task": "oauth.purge", "schedule": crontab(minute=45)},
    "keys-purge": {"task": "keys.purge", "schedule": crontab(minute=35)},
    "companies-tidy": {"task": "companies.tidy", "schedule": crontab(minute="*/10"), "options": {"expires": 600}},
    "sign-ins-purge": {"task": "accounts.purge", "schedule": crontab(hour=4, minute=20)},
    "leaks-tell-owners": {"task": "leaks.tell_owners", "schedule": 60.0, "options": {"expires": 60}},
    "reviews-make": {"task": "reviews.make", "schedule": crontab(minute=25)},
    "reviews-tell": {"task": "reviews.tell", "schedule": 300.0, "options": {"expires": 300}},
    "audit-verify": {"task": "audit.verify", "schedule": 300.0, "options": {"expires": 300}},
    "audit-erase-old": {"task": "audit.erase_old", "schedule": crontab(minute=55)},
    "jobs-purge": {"task": "jobs.purge", "schedule": crontab(hour=4, minute=5)},
    "usage-purge": {"task": "usage.purge", "schedule": crontab(hour=3, minute=50)},
    "usage-recount": {"task": "usage.recount", "schedule": 300.0, "options": {"expires": 300}},
    "staff-count": {"task": "staff.count", "schedule": 60.0, "options": {"expires": 60}},
    "staff-continue-runs": {"task": "staff.continue_runs", "schedule": 15.0, "options": {"expires": 30}},
    "incidents-notices": {"task": "incidents.send_notices", "schedule": 60.0, "options": {"expires": 60}},
    "webhooks-sweep": {"task": "webhooks.sweep", "schedule": 5.0, "options": {"expires": 15}},
    "webhooks-tell-owners": {"task": "webhooks.tell_owners", "schedule": 60.0, "options": {"expires": 60}},
    "webhooks-purge": {"task": "webhooks.purge", "schedule": crontab(hour=3, minute=20)},
}
