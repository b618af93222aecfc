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
    """Each goal with what was measured."""
    rates = {target.name: target.middle().rate for target in targets}
    bare = rates[BARE]
    peers = {name: rate for name, rate in rates.items() if name.startswith("django")}
    lines = []
    for engine in ("SQLite", "PostgreSQL"):
        for with_redis in (False, True):
            name = ours(engine, "1 k", with_redis)
            if f"{name}, warm" not in rates:
                continue
            warm = rates[f"{name}, warm"]
            fastest = max((rate for peer, rate in peers.items() if engine in peer), default=0)
            batch = next(rate * 100 for peer, rate in rates.items() if peer.startswith(f"{name}, batch"))
            line = f"{name}: {warm / bare:.2f} of the bare view (goal 0.60)"
            if fastest:
                line += f", {warm / fastest:.1f} times the fastest peer (goal 2)"
            line += f", a batch {batch / warm:.1f} times a single key (goal 5)"
            large = ours(engine, "1 M", with_redis)
            for kind in ("warm", "cold"):
                if f"{large}, {kind}" in rates:
                    cost = rates[f"{name}, {kind}"] / rates[f"{large}, {kind}"]
                    line += f"; 1 M keys cost {cost:.2f} of 1 k, {kind} (goal 1.15)"
            lines.append(f"- {line}.")
    lines.append(f"- Verifier: {cached.rate:,.0f}/s (goal 200,000), {cached.p99:.1f} µs at p99 (goal 50).")
    return lines


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
