"""Scopes: what a key may do on its MCP server. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Final

READ: Final = "tools:read"
ALL: Final = "tools:*"
TOOL_PREFIX: Final = "tool:"
_TOOL = re.compile(r"tool:[A-Za-z0-9_./-]{1,128}", re.ASCII).fullmatch


class InvalidScope(ValueError):
    """A scope that is none of `tools:read`, `tools:*`, `tool:<name>`."""


def normalize(scopes: Iterable[str]) -> list[str]:
    """`scopes` without repetition, in order, `tools:*` alone if it is there. Raises InvalidScope, also if empty."""
    found = sorted(set(scopes))
    for scope in found:
        if scope not in {READ, ALL} and not _TOOL(scope):
            raise InvalidScope(f"{scope!r} is not a scope: use tools:read, tools:* or tool:<name>.")
    if not found:
        raise InvalidScope("Choose at least one tool.")
    return [ALL] if ALL in found else found


def allows(scopes: Collection[str], tool: str, read_only_tools: Collection[str]) -> bool:
    """Whether `scopes` permit calling `tool`, given the names of the server's read-only tools."""
    return ALL in scopes or TOOL_PREFIX + tool in scopes or (READ in scopes and tool in read_only_tools)


def required(tool: str, read_only_tools: Collection[str]) -> str:
    """The least scope that would permit `tool`: what a challenge asks for (RFC 6750, section 3.1)."""
    return READ if tool in read_only_tools else TOOL_PREFIX + tool


def narrower_or_equal(new: Collection[str], old: Collection[str], read_only_tools: Collection[str]) -> bool:
    """Whether everything that `new` permits, `old` permits too."""
    if ALL in old:
        return True
    if ALL in new or (READ in new and READ not in old):
        return False
    return all(
        scope in old or allows(old, scope.removeprefix(TOOL_PREFIX), read_only_tools) for scope in new if scope != READ
    )
