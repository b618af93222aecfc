"""Scopes: what a key may do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys import scopes

READ_ONLY = frozenset({"get_companies", "whoami"})
TOOLS = ["get_companies", "whoami", "create_company"]
scope = st.sampled_from([scopes.ALL, scopes.READ, *(f"tool:{name}" for name in TOOLS)])


@pytest.mark.parametrize(
    "wrong", ["", "tools", "tools:write", "tool:", "tool:a b", "tool:ü", "TOOLS:*", "tool:" + "x" * 129]
)
def test_what_is_no_scope_is_refused(wrong):
    with pytest.raises(scopes.InvalidScope):
        scopes.normalize([wrong])


def test_no_scope_at_all_is_refused():
    with pytest.raises(scopes.InvalidScope):
        scopes.normalize([])


def test_all_tools_swallow_the_others():
    assert scopes.normalize(["tool:whoami", scopes.ALL]) == [scopes.ALL]


@given(st.lists(scope, min_size=1))
def test_normalizing_changes_nothing_that_a_key_may_do(wanted):
    for tool in TOOLS:
        assert scopes.allows(scopes.normalize(wanted), tool, READ_ONLY) == scopes.allows(wanted, tool, READ_ONLY)


@given(st.lists(scope, max_size=4), st.sampled_from(TOOLS))
def test_the_required_scope_would_do(granted, tool):
    assert scopes.allows([*granted, scopes.required(tool, READ_ONLY)], tool, READ_ONLY)


def test_read_permits_what_changes_nothing_and_no_more():
    assert scopes.allows([scopes.READ], "whoami", READ_ONLY)
    assert not scopes.allows([scopes.READ], "create_company", READ_ONLY)
    assert not scopes.allows([scopes.READ], "unknown_tool", READ_ONLY)


@given(st.lists(scope, min_size=1, max_size=4), st.lists(scope, min_size=1, max_size=4))
def test_narrower_means_that_nothing_new_is_allowed(new, old):
    if scopes.narrower_or_equal(new, old, READ_ONLY):
        for tool in TOOLS:
            assert scopes.allows(old, tool, READ_ONLY) or not scopes.allows(new, tool, READ_ONLY)


@pytest.mark.parametrize(
    ("new", "old", "narrower"),
    [
        (["tool:whoami"], ["tools:*"], True),
        (["tools:*"], ["tools:*"], True),
        (["tools:read"], ["tools:*"], True),
        (["tools:*"], ["tools:read"], False),
        (["tools:*"], ["tools:read", "tool:create_company"], False),
        (["tools:read"], ["tool:whoami"], False),
        (["tools:read"], ["tools:read"], True),
        (["tool:whoami"], ["tools:read"], True),
        (["tools:read", "tool:create_company"], ["tools:read"], False),
        (["tool:create_company"], ["tools:read"], False),
        (["tool:create_company"], ["tool:create_company"], True),
        (["tool:create_company", "tool:whoami"], ["tool:create_company"], False),
    ],
)
def test_what_is_narrower_is_said_exactly(new, old, narrower):
    assert scopes.narrower_or_equal(new, old, READ_ONLY) is narrower


def test_nothing_at_all_is_no_choice():
    with pytest.raises(scopes.InvalidScope, match="at least one"):
        scopes.normalize([])
