"""The table, and what it says about the goals."""

from __future__ import annotations

from collections.abc import Sequence

from bench.load import Target
from bench.verifier import Cached

BARE = "bare Django view, startproject's middleware"
HEADINGS = ("", "requests/s", "keys/s", "p50 ms", "p99 ms", "server CPU µs/request", "ratio")


def ours(engine: str, size: str, with_redis: bool) -> str:
    """How a configuration of the portal is called."""
    return f"Latchkey, {size} keys, {engine}{' and Redis' if with_redis else ''}"


def show(targets: Sequence[Target], cached: Cached, skipped: Sequence[str], markdown: bool) -> str:
    """All targets with their ratio to the bare Django view, then the verifier and the goals."""
    bare = next(target for target in targets if target.name == BARE).middle().rate
    rows = []
    for target in targets:
        found = target.middle()
        rows.append(
            (
                target.name + (f" ({found.errors} ERRORS)" if found.errors else ""),
                f"{found.rate:,.0f}",
                f"{found.rate * target.keys:,.0f}",
                f"{found.p50:.1f}",
                f"{found.p99:.1f}",
                f"{found.cpu:,.0f}",
                f"{found.rate / bare:.2f}",
            )
        )
    lines = _markdown(rows) if markdown else _plain(rows)
    lines += [
        "",
        f"Verifier, remembered verdicts: {cached.rate:,.0f}/s on a core; {cached.p50:.1f} µs at p50 and "
        f"{cached.p99:.1f} µs at p99 for a tool call.",
        *goals(targets, cached),
        *(f"Skipped: {reason}" for reason in skipped),
    ]
    return "\n".join(lines)


def goals(targets: Sequence[Target], cached: Cached) -> list[str]:
    """Each goal with what was measured, and whether it was reached."""
    rates = {target.name: target.middle().rate for target in targets}
    peers = {name: rate for name, rate in rates.items() if name.startswith("django")}
    lines = ["", "Goals:"]
    for engine in ("SQLite", "PostgreSQL"):
        for with_redis in (False, True):
            name = ours(engine, "1 k", with_redis)
            if f"{name}, warm" not in rates:
                continue
            warm = rates[f"{name}, warm"]
            batch = next(rate * 100 for peer, rate in rates.items() if peer.startswith(f"{name}, batch"))
            lines.append(_goal(name, "of the bare Django view", warm / rates[BARE], 0.60))
            if fastest := max((rate for peer, rate in peers.items() if peer.endswith(engine)), default=0):
                lines.append(_goal(name, "times the fastest Django peer", warm / fastest, 2))
            lines.append(_goal(name, "times single keys, in batches", batch / warm, 5))
            large = ours(engine, "1 M", with_redis)
            if f"{large}, warm" in rates:
                cost = warm / rates[f"{large}, warm"]
                lines.append(_goal(name, "the cost at 1 M keys", cost, 1.15, most=True))
    lines.append(_goal("Verifier", "thousand remembered verdicts/s on a core", cached.rate / 1000, 200))
    lines.append(_goal("Verifier", "µs at p99 for a tool call", cached.p99, 50, most=True))
    return lines


def _goal(who: str, what: str, measured: float, wanted: float, *, most: bool = False) -> str:
    reached = measured <= wanted if most else measured >= wanted
    sign, said = ("≤" if most else "≥"), ("reached" if reached else "NOT reached")
    return f"- {who}: {measured:,.2f} {what} (goal {sign} {wanted:g}): {said}"


def _plain(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[place]) for row in [HEADINGS, *rows]) for place in range(len(HEADINGS))]
    lines = []
    for row in [HEADINGS, *rows]:
        cells = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join([row[0].ljust(widths[0]), *cells]))
    return lines


def _markdown(rows: Sequence[tuple[str, ...]]) -> list[str]:
    rule = ("---", *("---:" for _ in HEADINGS[1:]))
    return [f"| {' | '.join(row)} |" for row in [HEADINGS, rule, *rows]]
