"""Reports of leaked tokens: only true ones do something, once, by the rule of their company; nothing is given away."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import time
from datetime import timedelta
from unittest.mock import patch

import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from keys import services, tokens
from keys.leaks import github, limits
from keys.leaks.finding import tokens_in
from keys.leaks.models import Leak, Rule
from keys.leaks.services import change_rule
from keys.management_tokens import services as management
from keys.models import Key, ManagementScope
from keys.webhooks import outgoing
from keys.webhooks.endpoints import create_endpoint
from keys.webhooks.models import Event
from portal.audit.actors import SYSTEM, Actor
from portal.audit.models import AuditEvent
from portal.audit.services import verify_chain
from tests import factories

pytestmark = pytest.mark.django_db
PLACE = "https://github.com/octocat/hello/blob/123/settings.json"


@pytest.fixture(autouse=True)
def _no_waiting(settings):
    settings.LEAK_REPORT_SECONDS = 0


@pytest.fixture
def github_key(settings):
    """GitHub's private key, of a portal that knows the public one by its id."""
    private = ec.generate_private_key(ec.SECP256R1())
    settings.GITHUB_KEYS = listed({"key-1": private})
    return private


def listed(keys):
    rows = [{"key_identifier": name, "key": public_pem(private), "is_current": True} for name, private in keys.items()]
    return json.dumps({"public_keys": rows})


def public_pem(private):
    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def report(private, hits, *, key_id="key-1", body=None, signature=None):
    body = json.dumps(hits).encode() if body is None else body
    signature = signature or base64.b64encode(private.sign(body, ec.ECDSA(SHA256()))).decode()
    return Client().post(
        "/api/v1/leaks/github", body, content_type="application/json",
        headers={"Github-Public-Key-Identifier": key_id, "Github-Public-Key-Signature": signature},
    )  # fmt: skip


def hit(token, url=PLACE):
    return {"token": token, "type": "latchkey_key", "url": url, "source": "content"}


def committed(django_capture_on_commit_callbacks, act):
    with django_capture_on_commit_callbacks(execute=True):
        return act()


def test_a_true_hit_is_revoked_recorded_told_and_answered(
    github_key, key, key_token, owner, company, server_token, django_capture_on_commit_callbacks
):
    create_endpoint(url="https://hooks.example.com/x", actor=Actor.user(owner), company=company)
    with patch("keys.webhooks.delivery.attempt"):
        response = committed(django_capture_on_commit_callbacks, lambda: report(github_key, [hit(key_token)]))
    assert response.status_code == 200
    digest = hashlib.sha256(key_token.encode()).hexdigest()
    assert response.json() == [{"token_hash": digest, "token_type": "latchkey_key", "label": "true_positive"}]
    key.refresh_from_db()
    assert key.state == "revoked"
    assert PLACE in key.revoked_reason
    leak = Leak.objects.get()
    assert (leak.kind, leak.subject_id, leak.source, leak.outcome, leak.url) == (
        "key", key.pk, "github", "revoked", PLACE
    )  # fmt: skip
    events = AuditEvent.objects.filter(chain=company.pk, incident_id=leak.incident_id)
    assert set(events.values_list("action", flat=True)) == {"key:revoked", "leak:reported"}
    assert verify_chain(company.pk).intact
    told = Event.objects.get(type="key.leaked")
    assert (told.data["url"], told.data["revoked"], told.data["key"]["id"]) == (PLACE, True, key.pk)
    (message,) = [one for one in mail.outbox if one.to == [owner.email]]
    assert PLACE in message.body
    assert f"/keys/{key.pk}/" in message.body
    assert "What to do now" in message.body
    everything = json.dumps([message.body, message.subject, told.data, list(events.values())], default=str)
    assert key_token not in everything
    verdict = Client().post(
        "/api/v1/keys/verify", {"key": key_token}, content_type="application/json",
        headers={"Authorization": f"Bearer {server_token}"},
    )  # fmt: skip
    assert verdict.json()["code"] == "REVOKED"


def test_the_same_report_again_changes_nothing(github_key, key_token, company, django_capture_on_commit_callbacks):
    for _ in range(3):
        response = committed(django_capture_on_commit_callbacks, lambda: report(github_key, [hit(key_token)] * 2))
        assert [row["label"] for row in response.json()] == ["true_positive", "true_positive"]
    assert Leak.objects.get().count == 6
    assert AuditEvent.objects.filter(action="leak:reported").count() == 1
    assert len(mail.outbox) == 1


def test_another_place_of_a_key_that_is_revoked_already_is_noted_and_wakes_nobody(
    github_key, key_token, django_capture_on_commit_callbacks
):
    for place in (PLACE, "https://github.com/octocat/other/blob/1/x"):
        committed(django_capture_on_commit_callbacks, lambda at=place: report(github_key, [hit(key_token, at)]))
    assert sorted(Leak.objects.values_list("outcome", flat=True)) == ["ended", "revoked"]
    assert len(mail.outbox) == 1


def test_tokens_that_are_not_ours_do_nothing(github_key, key, key_token):
    made_up = tokens.generate(tokens.Kind.TEST).text
    other_secret = "lk_test_" + key.pk + tokens.generate(tokens.Kind.TEST).text[20:-6]
    wrong = other_secret + tokens.checksum(other_secret)
    response = report(github_key, [hit(made_up), hit("ghp_something"), hit(key_token[:-1] + "!"), hit(wrong)])
    assert {row["label"] for row in response.json()} == {"false_positive"}
    key.refresh_from_db()
    assert key.state == "active"
    assert not Leak.objects.exists()
    assert not AuditEvent.objects.filter(action="leak:reported").exists()


def test_a_signature_that_is_not_githubs_over_these_very_bytes_is_refused(github_key, key, key_token):
    good = json.dumps([hit(key_token)]).encode()
    sign = base64.b64encode(github_key.sign(good, ec.ECDSA(SHA256()))).decode()
    other = ec.generate_private_key(ec.SECP256R1())
    answers = [
        report(other, [hit(key_token)]),
        report(github_key, [hit(key_token)], key_id="key-2"),
        report(github_key, [hit(key_token)], key_id=""),
        report(github_key, [], body=good + b" ", signature=sign),
        report(github_key, [hit(key_token)], signature="not base64"),
        report(github_key, [hit(key_token)], signature=base64.b64encode(b"0" * 70).decode()),
    ]
    assert [answer.status_code for answer in answers] == [401] * 6
    assert {answer["Content-Type"] for answer in answers} == {"application/problem+json"}
    key.refresh_from_db()
    assert key.state == "active"
    assert report(github_key, [], body=good, signature=sign).status_code == 200


def test_only_p256_keys_count(settings, key_token):
    private = ec.generate_private_key(ec.SECP384R1())
    settings.GITHUB_KEYS = listed({"key-1": private})
    assert report(private, [hit(key_token)]).status_code == 401


def test_what_is_signed_is_bounded_and_checked(github_key):
    assert report(github_key, [hit("x")] * 501).status_code == 413
    assert report(github_key, [], body=b"[" + b" " * (512 * 1024) + b"]").status_code == 413
    for body in (b"{}", b"[1]", b"nonsense", b'[{"type": "x"}]', b"[[[[[[", b"\xff\xfe"):
        assert report(github_key, [], body=body).status_code == 400
    assert report(github_key, []).json() == []


def test_without_keys_there_is_no_such_endpoint(settings, key_token):
    settings.GITHUB_KEYS = settings.GITHUB_KEYS_URL = ""
    response = report(ec.generate_private_key(ec.SECP256R1()), [hit(key_token)])
    assert response.status_code == 404
    assert "no public keys are set up" in response.json()["detail"]


def test_keys_can_be_given_as_a_pem_file(settings, key_token, key):
    private = ec.generate_private_key(ec.SECP256R1())
    settings.GITHUB_KEYS = public_pem(ec.generate_private_key(ec.SECP256R1())) + "\n" + public_pem(private)
    assert report(private, [hit(key_token)], key_id="whatever").status_code == 200
    key.refresh_from_db()
    assert key.state == "revoked"


def test_keys_are_fetched_once_kept_and_fetched_again_for_a_new_id(settings, key_token):
    settings.GITHUB_KEYS, settings.GITHUB_KEYS_URL = "", "https://api.example.com/keys"
    one, two = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    published, asked = {"key-1": one}, []

    def send(method, url, **options):
        asked.append((method, url, options["largest"], options["timeout"], options["private_allowed"]))
        return outgoing.Answer(200, listed(published).encode())

    with patch.object(outgoing, "send", send):
        assert report(one, [hit(key_token)]).status_code == 200
        assert report(one, [hit(key_token)]).status_code == 200
        assert asked == [("GET", "https://api.example.com/keys", 64 * 1024, 5.0, True)]
        published["key-2"] = two
        assert report(two, [hit(key_token)], key_id="key-2").status_code == 401  # asked a moment ago
        cache.delete(github._ASKED)
        assert report(two, [hit(key_token)], key_id="key-2").status_code == 200
        for number in range(5):
            report(two, [], key_id=f"made-up-{number}")
    assert len(asked) == 2


@pytest.mark.parametrize(
    "failure", [outgoing.UnknownHost(), outgoing.AddressRefused(), OSError(), outgoing.Answer(500, b""),
                outgoing.Answer(200, b"<html>"), outgoing.Answer(200, b'{"public_keys": 3}')],
    ids=lambda failure: f"{type(failure).__name__}-{getattr(failure, 'body', b'')[:6]!r}",
)  # fmt: skip
def test_keys_that_cannot_be_had_refuse_the_report(settings, key_token, failure):
    settings.GITHUB_KEYS, settings.GITHUB_KEYS_URL = "", "https://api.example.com/keys"
    effect = {"side_effect": failure} if isinstance(failure, Exception) else {"return_value": failure}
    with patch.object(outgoing, "send", **effect):
        assert report(ec.generate_private_key(ec.SECP256R1()), [hit(key_token)]).status_code == 401


def test_bad_signatures_are_limited_by_address(github_key):
    other = ec.generate_private_key(ec.SECP256R1())
    with time_machine.travel(timezone.now(), tick=False):  # within one minute
        codes = [report(other, []).status_code for _ in range(62)]
    assert codes[0] == 401
    assert codes[-1] == 429


def test_a_place_that_could_deceive_is_left_out(github_key, key_token, django_capture_on_commit_callbacks):
    place = "https://github.com@evil.example/ run this"
    committed(django_capture_on_commit_callbacks, lambda: report(github_key, [hit(key_token, place)]))
    assert Leak.objects.get().url == ""
    assert "evil" not in mail.outbox[0].body


# --- By the rule of the company


def test_a_company_that_wants_to_decide_itself_is_only_told(
    github_key, key, key_token, company, owner, django_capture_on_commit_callbacks
):
    change_rule(company=company, rule=Rule.TELL, actor=Actor.user(owner))
    committed(django_capture_on_commit_callbacks, lambda: report(github_key, [hit(key_token)]))
    key.refresh_from_db()
    assert key.state == "active"
    assert Leak.objects.get().outcome == "told"
    assert "It still works" in mail.outbox[0].body
    assert AuditEvent.objects.get(action="leak:rule_changed").data == {"rule": "tell", "old_rule": "revoke"}


def test_the_old_value_leaks_and_the_new_one_goes_on(github_key, key, key_token, owner):
    new, _ = services.rotate_key(key=key, overlap=timedelta(hours=1), actor=Actor.user(owner))
    report(github_key, [hit(key_token)])
    key.refresh_from_db()
    assert (key.state, Key.objects.get(pk=new.pk).state) == ("revoked", "active")


def test_owners_are_told_even_if_the_broker_was_away(github_key, key_token):
    from keys.leaks.tasks import tell_owners

    report(github_key, [hit(key_token)])  # no commit in this test: the task was not sent
    assert mail.outbox == []
    assert (tell_owners(), tell_owners()) == (1, 0)
    assert len(mail.outbox) == 1


# --- By whoever holds the token

SAID = "If it was a key of this portal"


def hold(text, client=None):
    return (client or Client()).post("/leaked/", {"token": text})


def every_kind(company, server, owner):
    access = {"company": company, "user": owner}
    key, key_token = factories.make_key(company, server, owner)
    credential, credential_token = factories.make_credential(factories.make_server("own", company=company))
    token, token_text = management.create_token(
        **access, name="ci", scopes=[ManagementScope.KEYS_READ], expires_at=None, actor=SYSTEM
    )
    return [(key, key_token), (credential, credential_token), (token, token_text)]


def test_whoever_holds_a_whole_token_has_it_revoked_without_an_account(company, server, owner):
    for thing, token in every_kind(company, server, owner):
        response = hold(f"found this in a paste: TOKEN={token.text};")
        assert response.status_code == 200
        thing.refresh_from_db()
        assert thing.state == "revoked"
    assert Leak.objects.count() == 3


def test_the_answer_is_the_same_for_every_token(key, key_token):
    unknown, revoked = tokens.generate(tokens.Kind.TEST).text, key_token
    first, again, never = hold(revoked), hold(revoked), hold(unknown)
    bodies = {strip(response.content.decode()) for response in (first, again, never)}
    assert len(bodies) == 1
    assert SAID in bodies.pop()
    api = [
        Client().post("/api/v1/leaks/report", {"token": text}, content_type="application/json")
        for text in (revoked, unknown)
    ]
    assert {(answer.status_code, answer.content) for answer in api} == {(202, api[0].content)}


def strip(page):
    import re

    return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", page)


def test_the_answer_takes_the_same_time_for_every_token(settings, key_token):
    settings.LEAK_REPORT_SECONDS = 0.3
    unknown = tokens.generate(tokens.Kind.TEST).text
    taken = []
    for text in (unknown, key_token, unknown, key_token):
        began = time.perf_counter()
        hold(text)
        taken.append(time.perf_counter() - began)
    assert min(taken) >= 0.3
    assert max(taken) - min(taken) < 0.15


def test_half_a_token_does_nothing_and_is_told(key, key_token):
    for text in (key_token[:-1], key_token[:20], "hello", key_token[:-1] + "0" * (key_token[-1] != "0") + "x"):
        response = hold(text)
        assert response.status_code == 400
        assert text not in response.content.decode() or text == "hello"
    api = Client().post("/api/v1/leaks/report", {"token": key_token[:-1]}, content_type="application/json")
    assert api.status_code == 400
    key.refresh_from_db()
    assert key.state == "active"


def test_what_was_pasted_is_nowhere_afterwards(key_token, caplog, db):
    client = Client()
    with caplog.at_level(logging.DEBUG):
        response = hold(key_token, client)
    secret = key_token[20:]
    assert secret not in response.content.decode()
    assert secret not in caplog.text
    assert "no-store" in response["Cache-Control"]
    assert secret not in str(dict(client.session))
    assert secret not in json.dumps([list(Leak.objects.values()), list(AuditEvent.objects.values())], default=str)


def test_a_token_in_the_address_does_nothing(key, key_token):
    Client().get("/leaked/", {"token": key_token})
    key.refresh_from_db()
    assert key.state == "active"


def test_reports_are_limited_by_address(db):
    text = tokens.generate(tokens.Kind.TEST).text
    with time_machine.travel(timezone.now(), tick=False):
        for _ in range(limits.MOST):
            assert hold(text).status_code == 200
        refused = hold(text)
        api = Client().post("/api/v1/leaks/report", {"token": text}, content_type="application/json")
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) > 0
    assert api.status_code == 429
    elsewhere = Client(REMOTE_ADDR="203.0.113.77")
    assert hold(text, elsewhere).status_code == 200


def test_the_mail_of_a_holders_report_carries_no_address_of_theirs(key_token, django_capture_on_commit_callbacks):
    committed(
        django_capture_on_commit_callbacks,
        lambda: Client().post(
            "/leaked/", {"token": f"{key_token} https://evil.example/", "url": "https://evil.example"}
        ),
    )
    assert "evil" not in mail.outbox[0].body
    assert "Somebody who has the whole value" in mail.outbox[0].body


def test_the_form_is_checked_for_forgery(key, key_token):
    assert Client(enforce_csrf_checks=True).post("/leaked/", {"token": key_token}).status_code == 403
    key.refresh_from_db()
    assert key.state == "active"


def test_tokens_are_found_in_text_at_their_borders():
    text = tokens.generate(tokens.Kind.LIVE).text
    for around in ("{}", "key={}", '"{}",', "{}\n", "({})", "https://x/?k={}&y"):
        assert [token.text for token in tokens_in(around.format(text), 5)] == [text]
    for around in ("x{}", "{}x", "_{}", "{}_"):
        assert tokens_in(around.format(text), 5) == []
    many = " ".join(tokens.generate(tokens.Kind.LIVE).text for _ in range(9))
    assert len(tokens_in(many, 5)) == 5


# --- Pages


def test_the_company_sets_its_rule_and_sees_what_leaked(owner_client, company, github_key, key_token):
    report(github_key, [hit(key_token)])
    address = f"/c/{company.slug}/settings/leaks/"
    page = owner_client.get(address).content.decode()
    assert "Owner&#x27;s key" in page
    assert PLACE in page
    assert owner_client.post(address, {"rule": "tell"}).status_code == 302
    assert company.leak_settings.rule == "tell"


def test_developers_do_not_set_the_rule(colleague_client, company):
    assert colleague_client.post(f"/c/{company.slug}/settings/leaks/", {"rule": "tell"}).status_code == 403


def test_staff_find_leaks_and_a_pasted_token_leaves_the_address(staff_client, github_key, key, key_token):
    report(github_key, [hit(key_token)])
    assert key.name.replace("'", "&#x27;") in staff_client.get("/staff/leaks/").content.decode()
    for query, number in [
        ({"q": key.pk}, 1), ({"kind": "token"}, 0), ({"source": "github", "outcome": "revoked"}, 1),
        ({"q": "nothing"}, 0), ({"kind": "nonsense"}, 1),
    ]:  # fmt: skip
        assert len(staff_client.get("/staff/leaks/", query).context["page"].rows) == number
    response = staff_client.get("/staff/leaks/", {"q": key_token})
    assert response.status_code == 302
    assert key_token[21:] not in response["Location"]


def test_a_credential_of_the_operators_own_server_is_revoked_and_staff_are_told(
    github_key, server, staff, django_capture_on_commit_callbacks
):
    credential, token = factories.make_credential(server)
    committed(django_capture_on_commit_callbacks, lambda: report(github_key, [hit(token.text)]))
    credential.refresh_from_db()
    assert credential.state == "revoked"
    assert [message.to for message in mail.outbox] == [[staff.email]]
    assert Leak.objects.get().company is None


def test_the_page_costs_few_queries(staff_client, company, django_assert_max_num_queries):
    Leak.objects.bulk_create(
        [
            Leak(company=company, kind="key", subject_id=f"{n:012}", subject_name="x", hint="h", source="github",
                 outcome="revoked", reported_at=timezone.now())
            for n in range(120)
        ]
    )  # fmt: skip
    with django_assert_max_num_queries(10):
        staff_client.get("/staff/leaks/")
