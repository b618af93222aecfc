"""Figures for Prometheus: what was counted in every process of this machine, and how things stand now.

Counting is a dictionary entry in this process's memory and nothing else: the hot path pays a microsecond. Where figures
are wanted (`LATCHKEY_METRICS_TOKEN` or `LATCHKEY_METRICS_PORT`), each process leaves a copy of its counts in the data
folder every two seconds, and whichever process is asked adds them up. What is counted stands in names.py.
"""

from portal.metrics.counts import add, observe

__all__ = ["add", "observe"]
