"""Every metric: its name, what it says, its labels. A name that is not here cannot be counted, shown or alerted on."""

from __future__ import annotations

from typing import Final, NamedTuple


class Metric(NamedTuple):
    """What a metric says, and the labels that tell its series apart."""

    help: str
    labels: tuple[str, ...] = ()


# Upper bounds in seconds. A verification takes one to ten milliseconds: most of them are there.
BUCKETS: Final = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

HISTOGRAMS: Final[dict[str, Metric]] = {
    "latchkey_request_seconds": Metric(
        "Requests and how long each took in the portal, by kind (verify, api, page) and status", ("kind", "status")
    ),
    "latchkey_task_seconds": Metric("Background tasks and how long each ran, by outcome", ("task", "outcome")),
    "latchkey_feed_lag_seconds": Metric(
        "Age of the oldest event of the revocation feed when a verifier was given it: how long it trusted what was over"
    ),
}
COUNTERS: Final[dict[str, Metric]] = {
    "latchkey_verdicts_total": Metric("Verdicts by code", ("code",)),
    "latchkey_hotstore_lookups_total": Metric(
        "Look-ups of a key: hit (Redis knew it), miss (the database was asked), off (no Redis, SQLite, or it was away)",
        ("result",),
    ),
    "latchkey_hotstore_failures_total": Metric("How often Redis did not answer in time on the hot path"),
    "latchkey_webhook_attempts_total": Metric("Attempts to deliver a webhook, by outcome", ("outcome",)),
    "latchkey_sign_in_failures_total": Metric("Sign-ins refused for a wrong password, account or second factor"),
    "latchkey_sign_ins_total": Metric("Sign-ins that succeeded"),
}
GAUGES: Final[dict[str, Metric]] = {
    "latchkey_info": Metric("1; the version is a label", ("version",)),
    "latchkey_up": Metric("1 if a component works, 0 if not: see /healthz/ready", ("component",)),
    "latchkey_queue_length": Metric("Tasks that wait, by queue", ("queue",)),
    "latchkey_worker_heartbeat_age_seconds": Metric("Since a worker last ran the heartbeat; absent if never"),
    "latchkey_failed_tasks": Metric("Tasks that failed for good and that nobody has dealt with: see /staff/jobs/"),
    "latchkey_webhooks_pending": Metric("Webhook deliveries that wait for an attempt"),
    "latchkey_webhooks_overdue_seconds": Metric("For how long the delivery that is due longest has waited; 0 if none"),
    "latchkey_feed_number": Metric("Number of the latest event of the revocation feed"),
    "latchkey_scrape_failed": Metric("1 if a part of these figures could not be read, by part", ("part",)),
}
ALL: Final = HISTOGRAMS | COUNTERS | GAUGES
