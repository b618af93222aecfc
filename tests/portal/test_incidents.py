"""Incidents: what was done kept together, owners told once, and files for the post-mortem."""

from __future__ import annotations

import re
import smtplib

import pytest
from django.core import mail
from django.urls import reverse
from django.utils import timezone

from keys import services
from keys.usage.models import Sighting, UsageDay
from portal.audit.actors import SYSTEM, Actor
from portal.audit.models import AuditEvent
from portal.companies.models import Membership
from portal.incidents import notices
from portal.incidents.errors import IncidentClosed
from portal.incidents.models import Incident, IncidentNotice
from portal.incidents.services import add_note, close_incident, open_incident
from tests import factories

pytestmark = pytest.mark.django_db


def text(response) -> str:
    content = b"".join(response.streaming_content) if response.streaming else response.content
    return content.decode()


@pytest.fixture
def actor(staff):
    return Actor.staff(staff)


@pytest.fixture
def incident(actor):
    return open_incident(title="Leak at Acme", actor=actor)


@pytest.fixture
def revoked(incident, key, actor):
    """`key`, revoked under `incident`, with calls before and after."""
    services.revoke_key(key=key, reason="Leaked: =cmd", actor=actor, incident_id=incident.pk)
    today = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    for code, count in (("VALID", 40), ("REVOKED", 7)):
        UsageDay.objects.create(period=today, server_id=key.server_id, company_id=key.company_id, key_id=key.pk,
                                code=code, count=count)  # fmt: skip
    Sighting.objects.create(key_id=key.pk, company_id=key.company_id, address="203.0.113.9", client="curl",
                            code="REVOKED", first_at=today, last_at=timezone.now(), count=47)  # fmt: skip
    return key


def page(incident, name="incident"):
    return reverse(f"incidents:{name}", args=[incident.pk])


def test_an_incident_is_opened_by_hand(staff_client, staff):
    staff_client.post(reverse("incidents:new"), {"title": "Something odd"})
    made = Incident.objects.get()
    assert (made.title, made.kind, made.opened_by, len(made.pk)) == ("Something odd", "manual", staff, 12)
    event = AuditEvent.objects.get(action="incident:opened")
    assert (event.chain, event.incident_id, event.target_id) == ("platform", made.pk, made.pk)
    assert "Something odd" in text(staff_client.get(reverse("incidents:list")))


def test_one_that_nobody_with_an_account_opened(owner):
    made = open_incident(title="Reported by a scanner", actor=SYSTEM, kind="leak")
    assert (made.opened_by, made.opened_by_label) == (None, "Latchkey")


def test_no_secret_stays_in_a_title_or_note(actor, key_token):
    secret = key_token.split("_")[3]
    made = open_incident(title=f"Found {key_token}", actor=actor)
    note = add_note(incident=made, text=f"It was {key_token}", actor=actor)
    assert secret not in made.title and secret not in note.text


def test_the_page_tells_what_was_done_to_whom_and_what_the_keys_did(staff_client, incident, revoked, company):
    shown = text(staff_client.get(page(incident)))
    assert company.name in shown and "203.0.113.9" in shown and "curl" in shown
    context = staff_client.get(page(incident)).context
    assert (context["calls"].before, context["calls"].after) == (40, 7)
    assert (context["affected"].keys, context["affected"].companies) == (1, 1)
    assert "Owner&#x27;s key" in text(staff_client.get(page(incident, "keys")))


def test_an_incident_under_which_nothing_was_done_says_what_to_do(staff_client, incident):
    assert "Nothing was revoked under it yet" in text(staff_client.get(page(incident)))


def test_single_and_selected_revocations_go_under_an_incident(staff_client, incident, company, server, owner, key):
    staff_client.post(reverse("staff:key_revoke", args=[key.pk]), {"why": "Leaked", "incident": incident.pk})
    assert AuditEvent.objects.get(action="key:revoked").incident_id == incident.pk
    more = [factories.make_key(company, server, owner)[0].pk for _number in range(2)]
    staff_client.post(reverse("staff:keys_select"), {"key": more})
    response = staff_client.post(reverse("staff:keys_revoke"), {"why": "Leaked"})
    made = Incident.objects.exclude(pk=incident.pk).get()
    assert response["Location"] == page(made)
    assert AuditEvent.objects.filter(action="key:revoked", incident_id=made.pk).count() == 2


def test_notes_are_added_until_it_is_closed(staff_client, incident, actor):
    staff_client.post(page(incident, "note"), {"text": "Rang the owner."})
    assert "Rang the owner." in text(staff_client.get(page(incident)))
    staff_client.post(page(incident, "close"))
    assert staff_client.post(page(incident, "note"), {"text": "Too late"}).status_code == 400
    incident.refresh_from_db()
    with pytest.raises(IncidentClosed):
        add_note(incident=incident, text="Too late", actor=actor)
    close_incident(incident=incident, actor=actor)
    assert AuditEvent.objects.filter(action="incident:closed").count() == 1
    staff_client.post(page(incident, "reopen"))
    assert staff_client.post(page(incident, "note"), {"text": "More"}).status_code == 302


def test_every_owner_is_told_once(staff_client, incident, revoked, company, owner, django_capture_on_commit_callbacks):
    second = factories.make_user("Second Owner", "second@example.com")
    Membership.objects.create(company=company, user=second, role="owner")
    for _again in range(2):
        with django_capture_on_commit_callbacks(execute=True):
            staff_client.post(page(incident, "notices"))
    assert sorted(message.to[0] for message in mail.outbox) == [owner.email, second.email]
    body = mail.outbox[0].body
    assert "Owner's key" in body and "Leaked" in body and "create new keys" in body and f"/c/{company.slug}/" in body
    assert IncidentNotice.objects.count() == 2
    incident.refresh_from_db()
    assert incident.notices_asked_at is None


def test_a_mail_server_that_is_away_loses_no_notice(incident, revoked, actor, monkeypatch):
    Incident.objects.update(notices_asked_at=timezone.now())

    def away(*args, **kwargs):
        raise smtplib.SMTPServerDisconnected

    with monkeypatch.context() as patch:
        patch.setattr("django.core.mail.EmailMessage.send", away)
        with pytest.raises(smtplib.SMTPServerDisconnected):
            notices.send_due()
    assert not IncidentNotice.objects.exists()
    assert notices.send_due() == 1
    assert len(mail.outbox) == 1


def test_there_is_nobody_to_tell_of_an_empty_incident(staff_client, incident):
    assert staff_client.get(page(incident, "notices")).status_code == 302


def test_the_report_is_one_file_that_needs_nothing_else(staff_client, incident, revoked, company, owner, actor):
    add_note(incident=incident, text="<b>Rang</b> the owner.", actor=actor)
    response = staff_client.get(page(incident, "report"))
    shown = text(response)
    assert response["Content-Disposition"] == f'attachment; filename="incident-{incident.pk}.html"'
    for words in ("Leak at Acme", company.name, revoked.pk, owner.email, "203.0.113.9", "&lt;b&gt;Rang"):
        assert words in shown
    assert not re.search(r"<script|\ssrc=|https?://|<link|\sstyle=", shown)
    assert "default-src &#x27;none&#x27;" in shown and "sha256-" in shown
    assert AuditEvent.objects.get(action="incident:exported").data == {"format": "html"}


def test_the_table_has_a_line_for_each_key_and_no_formula(staff_client, incident, revoked):
    shown = text(staff_client.get(page(incident, "table")))
    header, line = shown.strip().splitlines()
    assert header.startswith("revoked_at,kind,id,name")
    assert revoked.pk in line and ",40,7,203.0.113.9," in line


def test_incidents_are_found(staff_client, incident):
    def found(**query):
        return [row.pk for row in staff_client.get(reverse("incidents:list"), query).context["page"].rows]

    assert found(q="acme") == found(q=incident.pk) == found(state="open") == [incident.pk]
    assert found(q="nothing") == found(state="closed") == []


@pytest.mark.slow
def test_the_page_takes_few_queries_however_much_was_revoked(
    staff_client, incident, company, server, owner, actor, django_assert_max_num_queries
):
    for _number in range(30):
        made = factories.make_key(company, server, owner)[0]
        services.revoke_key(key=made, reason="Leaked", actor=actor, incident_id=incident.pk)
    staff_client.get(page(incident))
    from django.core.cache import cache

    cache.clear()
    with django_assert_max_num_queries(22):
        staff_client.get(page(incident))
