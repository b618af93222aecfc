"""The figures in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.conf import settings
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric as Family

from portal.metrics import gauges, sharing
from portal.metrics.counts import Snapshot
from portal.metrics.names import BUCKETS, COUNTERS, GAUGES, HISTOGRAMS

CONTENT_TYPE = CONTENT_TYPE_LATEST


def everything() -> bytes:
    """What the processes on this data folder counted, and how things stand. For the web process."""
    sharing.write_now()
    return _text(sharing.collected(settings.DATA_DIR / "metrics"), gauges.read())


def counted(role: str) -> bytes:
    """What the processes of one role counted: for a process with no access to what the others know."""
    sharing.write_now()
    return _text(sharing.collected(settings.DATA_DIR / "metrics", role), [])


def _text(snapshots: dict[str, Snapshot], values: Iterable[gauges.Value]) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Given(list(_families(snapshots, values))))
    return generate_latest(registry)


class _Given:
    """What prometheus_client calls a collector."""

    def __init__(self, families: list[Family]) -> None:
        self._families = families

    def collect(self) -> Iterable[Family]:
        """The metrics."""
        return self._families


def _families(snapshots: dict[str, Snapshot], values: Iterable[gauges.Value]) -> Iterator[Family]:
    counters = {n: CounterMetricFamily(n, m.help, labels=("process", *m.labels)) for n, m in COUNTERS.items()}
    histograms = {n: HistogramMetricFamily(n, m.help, labels=("process", *m.labels)) for n, m in HISTOGRAMS.items()}
    now = {n: GaugeMetricFamily(n, m.help, labels=m.labels) for n, m in GAUGES.items()}
    bounds = [*(repr(bound) for bound in BUCKETS), "+Inf"]
    for role, snapshot in snapshots.items():
        for name, labels, value in snapshot["counts"]:
            if name in counters:  # a file that an earlier version left may name others
                counters[name].add_metric([role, *labels], value)
        for name, labels, row in snapshot["rows"]:
            if name in histograms:
                total, buckets = 0.0, []
                for bound, count in zip(bounds, row[:-1], strict=True):
                    total += count
                    buckets.append((bound, total))
                histograms[name].add_metric([role, *labels], buckets, row[-1])
    for name, labels, value in values:
        now[name].add_metric(labels, value)
    for family in (*counters.values(), *histograms.values(), *now.values()):
        if family.samples:
            yield family
