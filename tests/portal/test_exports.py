"""A company's data as a file: complete, without secrets, for members who may, for seven days."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from datetime import timedelta

import pytest
import time_machine
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from keys import tokens
from keys.management_tokens.services import create_token
from keys.models import Key
from keys.webhooks.endpoints import create_endpoint
from portal.audit.actors import SYSTEM, Actor
from portal.audit.models import AuditEvent
from portal.companies import exports, invitations
from portal.companies.errors import ExportPending
from portal.companies.models import CompanyExport, ExportPart
from portal.companies.tasks import export as export_task
from tests import factories
from tests.portal.inviting import last_link

pytestmark = pytest.mark.django_db
TABLES = {
    "audit", "cards", "company", "connections", "invitations", "key_policy", "keys", "management_tokens",
    "mcp_servers", "members", "server_credentials", "usage_days", "webhooks",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _commits(monkeypatch):
    monkeypatch.setattr("portal.companies.mails.on_commit", lambda act: act())


def page(name, company, *args):
    return reverse(name, args=[company.slug, *args])


@pytest.fixture
def made(company, owner) -> CompanyExport:
    """An export that is ready."""
    export = exports.request_export(company=company, user=owner, actor=Actor.user(owner))
    export_task(export.pk)
    export.refresh_from_db()
    return export


def archive(response) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(b"".join(response.streaming_content)))


def test_it_is_asked_for_made_mailed_and_downloaded(
    owner_client, company, owner, key, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        owner_client.post(page("company_export", company))
    export = CompanyExport.objects.get()
    assert export.state == "ready" and export.size > 500
    assert mail.outbox[-1].to == ["owner@example.com"]
    assert last_link("owner@example.com") == page("company_export", company)
    address = page("company_export_download", company, export.pk)
    assert address in owner_client.get(page("company_export", company)).content.decode()
    response = owner_client.get(address)
    assert response["Content-Type"] == "application/zip" and "no-store" in response["Cache-Control"]
    with archive(response) as file:
        assert {name.partition(".")[0] for name in file.namelist()} == TABLES | {"README"}
        keys = json.loads(file.read("keys.json"))
        assert [row["id"] for row in keys] == [key.pk]
        rows = list(csv.DictReader(io.StringIO(file.read("keys.csv").decode())))
        assert rows[0]["name"] == "Owner's key" and rows[0]["scopes"] == '["tools:*"]'
        assert json.loads(file.read("members.json"))[0]["user_email"] == "owner@example.com"
        assert "export_requested" in file.read("audit.csv").decode()
    done = list(AuditEvent.objects.filter(chain=company.pk).values_list("action", flat=True))
    assert done[0] == "company:export_downloaded" and "company:export_requested" in done


def test_no_secret_is_in_it(company, owner, key_token, monkeypatch):
    _, management = create_token(
        company=company, user=owner, name="CI", scopes=["keys:read"], expires_at=None, actor=SYSTEM
    )
    own = factories.make_server("own", company=company)
    _, credential = factories.make_credential(own)
    endpoint, signing = create_endpoint(
        url="https://hooks.example.com/T000/verysecretpath", actor=SYSTEM, company=company
    )
    company.cards.create(
        gateway="dummy", gateway_token="gateway-token-1", brand="visa", last_four="4242", expiry_month=1,
        expiry_year=2033, cardholder="Olivia",
    )  # fmt: skip
    invitations.invite(company=company, email="n@example.com", role="viewer", inviter=owner, actor=SYSTEM)
    token = last_link("n@example.com").strip("/").split("/")[-1]
    file = io.BytesIO()
    exports.write(company, file)
    with zipfile.ZipFile(file) as made:
        everything = "\n".join(made.read(name).decode() for name in made.namelist() if not name.startswith("audit"))
        audit = made.read("audit.json").decode()
    digest = Key.objects.get().digest
    secrets = [key_token, management.text, credential.text, signing, endpoint.secret, "gateway-token-1", token]
    secrets += [invitation.digest for invitation in company.invitations.all()]
    secrets += [bytes(digest).hex(), str(bytes(digest)), "verysecretpath"]
    assert [secret for secret in secrets if secret in everything] == []
    assert [secret for secret in secrets[:-1] if secret in audit] == []
    assert not re.search(tokens.TOKEN_PATTERN, everything + audit)


def test_cells_are_no_formulas(company, owner, server):
    factories.make_key(company, server, owner, name="=cmd()")
    file = io.BytesIO()
    exports.write(company, file)
    with zipfile.ZipFile(file) as made:
        assert next(csv.DictReader(io.StringIO(made.read("keys.csv").decode())))["name"] == "'=cmd()"
        assert json.loads(made.read("keys.json"))[0]["name"] == "=cmd()"


def test_nothing_of_another_company_is_in_it(company, other_company, stranger, server, key):
    factories.make_key(other_company, server, stranger, name="Theirs")
    file = io.BytesIO()
    exports.write(company, file)
    with zipfile.ZipFile(file) as made:
        everything = "\n".join(made.read(name).decode() for name in made.namelist())
    assert "Theirs" not in everything and other_company.pk not in everything and "stranger" not in everything


def test_only_members_who_may_get_it_and_only_after_signing_in(
    made, company, other_company, colleague_client, stranger_client, client
):
    address = page("company_export_download", company, made.pk)
    assert colleague_client.get(address).status_code == 403
    assert stranger_client.get(address).status_code == 404
    assert stranger_client.get(page("company_export_download", other_company, made.pk)).status_code == 404
    assert client.get(address)["Location"].startswith(reverse("account_login"))
    assert not AuditEvent.objects.filter(action="company:export_downloaded").exists()


def test_it_is_gone_after_seven_days(made, company, owner):
    browser = Client()
    with time_machine.travel(timezone.now() + timedelta(days=7, minutes=1), tick=False):
        browser.force_login(owner)
        assert browser.get(page("company_export_download", company, made.pk)).status_code == 404
        exports.tidy()
    assert not CompanyExport.objects.exists() and not ExportPart.objects.exists()


def test_one_at_a_time_and_five_a_day(company, owner, monkeypatch):
    def ask():
        return exports.request_export(company=company, user=owner, actor=Actor.user(owner))

    first = ask()
    with pytest.raises(ExportPending, match="being made"):
        ask()
    export_task(first.pk)
    for _ in range(4):
        export_task(ask().pk)
    with pytest.raises(ExportPending, match="Five exports"):
        ask()


def test_a_task_that_runs_twice_makes_one_file(made):
    parts = made.parts.count()
    export_task(made.pk)
    assert made.parts.count() == parts and len(mail.outbox) == 1


def test_a_long_file_comes_in_pieces(company, owner, monkeypatch, owner_client):
    monkeypatch.setattr(exports, "PART", 500)
    export = exports.request_export(company=company, user=owner, actor=Actor.user(owner))
    export_task(export.pk)
    assert export.parts.count() > 2
    with archive(owner_client.get(page("company_export_download", company, export.pk))) as file:
        assert file.testzip() is None


def test_a_failure_is_said_and_another_one_can_be_asked_for(company, owner, owner_client, monkeypatch):
    export = exports.request_export(company=company, user=owner, actor=Actor.user(owner))
    with monkeypatch.context() as broken:
        broken.setattr(exports, "write", lambda *_: (_ for _ in ()).throw(OSError("full")))
        with pytest.raises(OSError):
            export_task(export.pk)
    assert "Ask for another one" in owner_client.get(page("company_export", company)).content.decode()
    export_task(exports.request_export(company=company, user=owner, actor=Actor.user(owner)).pk)


def test_what_the_broker_lost_is_made_later_or_given_up(company, owner):
    export = exports.request_export(company=company, user=owner, actor=Actor.user(owner))
    CompanyExport.objects.update(requested_at=timezone.now() - timedelta(minutes=20))
    exports.tidy()
    export.refresh_from_db()
    assert export.state == "ready"
    lost = exports.request_export(company=company, user=owner, actor=Actor.user(owner))
    CompanyExport.objects.filter(pk=lost.pk).update(requested_at=timezone.now() - timedelta(hours=3))
    exports.tidy()
    lost.refresh_from_db()
    assert lost.state == "failed"
