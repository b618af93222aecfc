"""The command line, against a management API that plays its part over HTTP."""

from __future__ import annotations

import json
import os
import stat

import pytest
from fake_portal import new_token
from latchkey.cli import main

ROW = {
    "id": "4fZk8Qb1xYtR", "name": "ci \x1b[31m", "state": "active", "server": {"id": "s1", "name": "growerp-system"},
    "scopes": ["tools:read"], "expires_at": None, "last_used_at": None,
}  # fmt: skip
SERVERS = {
    "results": [{"id": "s1", "name": "growerp-system", "title": "", "url": "https://m.example/mcp"}],
    "next": None,
}


@pytest.fixture
def secret(portal, monkeypatch):
    """The value that create and rotate answer with."""
    value = new_token()
    monkeypatch.setenv("LATCHKEY_URL", portal.url)
    monkeypatch.setenv("LATCHKEY_TOKEN", new_token("mgt"))
    second = {"results": [{**ROW, "id": "second"}], "next": None}
    pages = iter([(200, {}, {"results": [ROW], "next": f"{portal.url}/api/v1/keys?cursor=x"}), (200, {}, second)])
    created = (201, {}, {**ROW, "key": value})
    portal.broken |= {
        "/api/v1/servers": (200, {}, SERVERS),
        "/api/v1/keys": lambda: created if isinstance(portal.asked[-1][1], dict) else next(pages),
        "/api/v1/keys/4fZk8Qb1xYtR": (200, {}, ROW),
        "/api/v1/keys/4fZk8Qb1xYtR/rotate": created,
        "/api/v1/keys/4fZk8Qb1xYtR/revoke": (200, {}, {**ROW, "state": "revoked"}),
    }
    return value


CREATE = ["keys", "create", "--name", "ci", "--server", "growerp-system", "--scope", "tools:read", "--expires", "30"]


def test_list_follows_the_pages_and_prints_a_table_or_json(secret, portal, capsys):
    assert main(["keys", "list"]) == 0
    shown = capsys.readouterr().out
    assert "second" in shown
    assert "growerp-system" in shown
    assert "\x1b" not in shown


def test_create_prints_the_key_alone_so_that_a_script_can_take_it(secret, portal, capsys):
    assert main(CREATE) == 0
    assert capsys.readouterr().out == secret + "\n"
    body = portal.asked[-1][1]
    assert (body["name"], body["server"], body["scopes"]) == ("ci", "s1", ["tools:read"])
    assert body["expires_at"].endswith("+00:00")


def test_a_key_goes_into_a_file_of_its_owner_alone_and_nowhere_else(secret, tmp_path, capsys):
    path = tmp_path / "key.txt"
    umask = os.umask(0)
    try:
        assert main([*CREATE, "--json", "--output", str(path)]) == 0
    finally:
        os.umask(umask)
    assert path.read_text() == secret + "\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    out = capsys.readouterr()
    assert secret not in out.out + out.err
    assert json.loads(out.out)["id"] == ROW["id"]


def test_a_file_that_exists_is_not_written_and_no_key_is_made(secret, portal, tmp_path, capsys):
    path = tmp_path / "key.txt"
    path.write_text("mine")
    assert main([*CREATE, "--output", str(path)]) == 1
    assert path.read_text() == "mine"
    assert portal.count("/api/v1/keys") == 0


def test_rotate_and_revoke(secret, portal, capsys):
    assert main(["keys", "rotate", ROW["id"], "--overlap", "7d"]) == 0
    assert capsys.readouterr().out == secret + "\n"
    assert portal.asked[-1][1] == {"overlap_seconds": 604_800}
    assert main(["keys", "revoke", ROW["id"], "--reason", "leaked"]) == 0
    assert portal.asked[-1][1] == {"reason": "leaked"}


def test_update_sends_what_is_given_and_leaves_the_rest(secret, portal, capsys):
    change = ["keys", "update", ROW["id"]]
    assert main([*change, "--name", "nightly", "--scope", "tool:a", "--scope", "tool:b", "--per-minute", "5"]) == 0
    assert portal.asked[-1][1] == {"name": "nightly", "scopes": ["tool:a", "tool:b"], "per_minute": 5}
    assert ROW["id"] in capsys.readouterr().out
    assert main([*change, "--allow-ip", "192.0.2.0/24", "--allow-ip", "2001:db8::/32", "--label", "ci", "--json"]) == 0
    assert portal.asked[-1][1] == {"allowed_ips": ["192.0.2.0/24", "2001:db8::/32"], "labels": ["ci"]}
    assert main([*change, "--allow-ip", "any", "--label", "", "--per-minute", "plan"]) == 0
    assert portal.asked[-1][1] == {"allowed_ips": [], "labels": [], "per_minute": None}
    asked = len(portal.asked)
    assert main(change) == 2
    assert len(portal.asked) == asked


def test_the_end_of_an_overlap(secret, portal, capsys):
    portal.broken[f"/api/v1/keys/{ROW['id']}/end-overlap"] = (200, {}, {**ROW, "state": "expired"})
    assert main(["keys", "end-overlap", ROW["id"]]) == 0
    assert "not accepted any more" in capsys.readouterr().out


def test_a_value_that_was_shown_before_is_not_taken_for_a_new_one(secret, portal, tmp_path, capsys):
    portal.broken[f"/api/v1/keys/{ROW['id']}/rotate"] = (200, {}, {**ROW, "id": "second", "value": None})
    path = tmp_path / "key.txt"
    assert main(["keys", "rotate", ROW["id"], "--idempotency-key", "job-7", "--output", str(path)]) == 1
    assert "done before, as second" in capsys.readouterr().err
    assert not path.exists()


def test_the_portals_own_words_are_told(secret, portal, tmp_path, capsys):
    problem = {"detail": "Some of what was sent is wrong.", "errors": {"scopes": [{"message": "Not a scope."}]}}
    portal.broken["/api/v1/keys"] = (400, {}, problem)
    path = tmp_path / "key.txt"
    assert main([*CREATE, "--output", str(path)]) == 1
    told = capsys.readouterr().err
    assert "Some of what was sent is wrong." in told
    assert "scopes: Not a scope." in told
    assert not path.exists()


@pytest.mark.parametrize(("status", "code"), [(401, 3), (403, 3), (404, 1), (409, 1), (429, 4), (503, 4)])
def test_exit_codes(secret, portal, status, code, capsys):
    portal.broken["/api/v1/keys/4fZk8Qb1xYtR"] = (status, {}, {"detail": "No."})
    assert main(["keys", "show", ROW["id"]]) == code


def test_an_id_cannot_lead_to_another_path(secret, portal, capsys):
    main(["keys", "show", "../servers"])
    assert portal.asked[-1][0] == "/api/v1/keys/..%2Fservers"


@pytest.mark.parametrize("token", ["", "lk_mgt_nonsense", new_token("test")])
def test_without_a_management_token_nothing_is_sent(secret, portal, monkeypatch, token, capsys):
    monkeypatch.setenv("LATCHKEY_TOKEN", token)
    assert main(["keys", "list"]) == 3
    assert portal.asked == []
    assert not token or token not in capsys.readouterr().err


def test_verify_says_by_its_exit_code_whether_a_key_is_good(portal, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("LATCHKEY_URL", portal.url)
    monkeypatch.setenv("LATCHKEY_CREDENTIAL", portal.credential)
    good = tmp_path / "good"
    good.write_text(portal.make_key(scopes=["tool:a"]) + "\n")
    assert main(["verify", "--key-file", str(good), "--tool", "a", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["company"] == "Acme"
    assert main(["verify", "--key-file", str(good), "--tool", "b"]) == 1
    monkeypatch.setenv("LATCHKEY_KEY", new_token())
    assert main(["verify"]) == 1
    portal.broken["/api/v1/keys/verify"] = (500, {}, None)
    assert main(["verify"]) == 4


def test_snippet_holds_no_key(secret, capsys):
    assert main(["snippet", "claude-code", "--server", "growerp-system"]) == 0
    out = capsys.readouterr()
    assert json.loads(out.out)["mcpServers"]["growerp-system"]["url"] == "https://m.example/mcp"
    assert "GROWERP_SYSTEM_KEY" in out.err
    assert main(["snippet", "codex", "--server", "nowhere"]) == 1


def test_whoami(secret, portal, monkeypatch, capsys):
    monkeypatch.setenv("LATCHKEY_KEY", new_token())
    portal.broken["/api/v1/data/whoami"] = (200, {}, {"company": {"name": "Acme"}})
    assert main(["whoami"]) == 0
    assert "Acme" in capsys.readouterr().out
