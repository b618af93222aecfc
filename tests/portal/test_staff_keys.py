"""Staff find, look at and revoke keys of all companies."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone

from keys.models import CredentialState, Key
from keys.services import rotate_key
from portal.audit.actors import SYSTEM
from portal.audit.models import AuditEvent
from portal.audit.services import verify_chain
from portal.staff.views import keys as views
from tests import factories

pytestmark = pytest.mark.django_db

FIND = "/staff/find/"


def text(response) -> str:
    return response.content.decode()


def names(client, **query) -> list[str]:
    return [key.name for key in client.get(reverse("staff:keys"), query).context["page"].rows]


def find(client, pasted: str):
    return client.post(FIND, {"key": pasted})


def test_a_pasted_key_opens_its_page(staff_client, key, key_token):
    response = find(staff_client, f"  {key_token}\n")
    assert response["Location"] == reverse("staff:key", args=[key.pk])


def test_a_key_is_picked_out_of_a_log_line(staff_client, key, key_token):
    line = f'2026-11-22 "POST /mcp" Authorization: Bearer {key_token} 200'
    assert find(staff_client, line)["Location"] == reverse("staff:key", args=[key.pk])


def test_a_pasted_server_credential_opens_its_server(staff_client, server, server_token):
    assert find(staff_client, server_token)["Location"].startswith(reverse("staff:server", args=[server.pk]))


def test_a_revoked_key_is_found_too(staff_client, key, key_token):
    staff_client.post(reverse("staff:key_revoke", args=[key.pk]), {"why": "Leaked"})
    assert find(staff_client, key_token)["Location"] == reverse("staff:key", args=[key.pk])


@pytest.mark.parametrize("part", ["lk_test_{id}", "lk_test_{id}_", "{hint}"])
def test_the_visible_part_opens_its_page(staff_client, key, part):
    assert find(staff_client, part.format(id=key.pk, hint=key.hint))["Location"] == reverse("staff:key", args=[key.pk])


def test_a_key_with_a_changed_character_says_so_and_leads_to_the_one_with_its_id(staff_client, key, key_token):
    changed = key_token[:-1] + ("a" if key_token[-1] != "a" else "b")
    response = find(staff_client, changed)
    assert response.status_code == 404
    assert "cut or mistyped" in text(response) and reverse("staff:key", args=[key.pk]) in text(response)
    assert changed not in text(response)


def test_a_key_that_was_cut_says_so(staff_client, key, key_token):
    response = find(staff_client, key_token[:-8])
    assert "cut or mistyped" in text(response) and reverse("staff:key", args=[key.pk]) in text(response)
    assert key_token[25:-8] not in text(response)


def test_a_well_formed_key_of_nobody_is_unknown(staff_client):
    from keys.tokens import Kind, generate

    response = find(staff_client, generate(Kind.TEST).text)
    assert response.status_code == 404 and "Nothing has this value" in text(response)


def test_a_well_formed_key_with_a_known_id_but_another_value_is_told_apart(staff_client, key):
    from keys.tokens import checksum

    body = f"lk_test_{key.pk}_{'x' * 32}"
    assert "The id is known, the value is not" in text(find(staff_client, body + checksum(body)))


def test_other_words_become_a_search_without_any_secret(staff_client, key_token):
    response = find(staff_client, f"acme {key_token[:-3]}x")
    assert key_token[25:40] not in text(response)
    assert "Paste something first" in text(find(staff_client, "  "))


def test_a_pasted_key_is_in_no_address_session_log_or_answer(staff_client, key, key_token, caplog):
    secret = key_token.split("_")[3]
    with caplog.at_level(logging.DEBUG):
        response = staff_client.post(FIND, {"key": key_token}, follow=True)
    assert secret not in text(response)
    assert not any(secret in address for address, _status in response.redirect_chain)
    assert secret not in str(dict(staff_client.session))
    assert secret not in caplog.text
    assert not AuditEvent.objects.filter(data__icontains=secret).exists()


def test_a_key_in_an_address_is_refused(staff_client, key, key_token):
    response = staff_client.get(reverse("staff:keys"), {"q": key_token})
    assert (response.status_code, response["Location"]) == (302, FIND)
    response = staff_client.get(f"/staff/keys/{key_token}/")
    assert response.status_code == 404


def test_the_find_form_is_checked_for_forgery(staff, key_token):
    from django.test import Client

    strict = Client(enforce_csrf_checks=True)
    strict.force_login(staff)
    assert strict.post(FIND, {"key": key_token}).status_code == 403


def test_keys_are_found_by_name_company_and_person(staff_client, key, other_company, server, stranger, owner):
    factories.make_key(other_company, server, stranger, name="Nightly build")
    assert names(staff_client, q="nightly") == ["Nightly build"]
    assert names(staff_client, q="Acme") == [key.name]
    assert names(staff_client, q=owner.email) == [key.name]
    assert names(staff_client, q=key.pk) == [key.name]
    assert names(staff_client, q=key.hint) == [key.name]
    assert names(staff_client, q="nothing at all") == []
    assert names(staff_client, company=other_company.pk) == ["Nightly build"]
    assert names(staff_client, user=owner.pk) == [key.name]


def test_keys_are_filtered_by_state(staff_client, company, server, owner):
    made = {name: factories.make_key(company, server, owner, name=name)[0] for name in ("a", "old", "x", "r")}
    rotate_key(key=made["old"], overlap=timedelta(hours=1), actor=SYSTEM)
    staff_client.post(reverse("staff:key_revoke", args=[made["r"].pk]), {"why": "Leaked"})
    Key.objects.filter(pk=made["x"].pk).update(expires_at=timezone.now() - timedelta(minutes=1))
    assert set(names(staff_client, state="active")) == {"a", "old"}
    assert names(staff_client, state="rotating") == ["old"]
    assert names(staff_client, state="expired") == ["x"]
    assert names(staff_client, state="revoked") == ["r"]


def test_keys_are_filtered_by_server_and_sorted(staff_client, company, server, owner):
    other = factories.make_server("other")
    now = timezone.now()
    for days, name in ((30, "soon"), (365, "late"), (None, "never")):
        with time_machine.travel(now + timedelta(seconds=days or 999), tick=False):
            factories.make_key(
                company, other, owner, name=name, expires_at=now + timedelta(days=days) if days else None
            )
    factories.make_key(company, server, owner, name="elsewhere")
    assert set(names(staff_client, server=other.pk)) == {"soon", "late", "never"}
    assert names(staff_client, server=other.pk, sort="newest") == ["never", "late", "soon"]
    assert names(staff_client, server=other.pk, sort="oldest") == ["soon", "late", "never"]
    assert names(staff_client, server=other.pk, sort="expiring") == ["soon", "late"]
    assert names(staff_client, sort="revoked") == []


@pytest.mark.parametrize(
    ("state", "sort", "used"),
    [("revoked", "expiring", "revoked"), ("expired", "expiring", "newest"), ("active", "revoked", "newest"),
     ("active", "expiring", "expiring"), ("revoked", "oldest", "oldest"), ("", "revoked", "revoked")],
)  # fmt: skip
def test_an_order_that_leaves_nothing_of_a_state_gives_way(
    staff_client, company, server, owner, key, state, sort, used
):
    ended = factories.make_key(company, server, owner, name="ended")[0]
    Key.objects.filter(pk=ended.pk).update(expires_at=timezone.now() - timedelta(minutes=1))
    gone = factories.make_key(company, server, owner, name="gone")[0]
    staff_client.post(reverse("staff:key_revoke", args=[gone.pk]), {"why": "Leaked"})
    response = staff_client.get(reverse("staff:keys"), {"state": state, "sort": sort})
    found = {"revoked": [gone.name], "expired": [ended.name], "active": [key.name], "": [gone.name]}
    assert [one.name for one in response.context["page"].rows] == found[state]
    assert response.context["form"]["sort"].value() == used


@pytest.mark.parametrize("sort", ["newest", "oldest", "expiring"])
def test_every_key_is_on_exactly_one_page(staff_client, company, server, owner, monkeypatch, sort):
    monkeypatch.setattr(views, "PAGE", 4)
    moment = timezone.now()
    with time_machine.travel(moment, tick=False):  # ties in every sort key but the id
        for number in range(10):
            factories.make_key(company, server, owner, name=str(number), expires_at=moment + timedelta(days=9))
    seen, cursor = [], ""
    for _ in range(3):
        page = staff_client.get(reverse("staff:keys"), {"sort": sort, "cursor": cursor}).context["page"]
        seen.append([key.name for key in page.rows])
        cursor = page.older
    assert not cursor
    assert sorted(name for names in seen for name in names) == [str(number) for number in range(10)]
    back = staff_client.get(reverse("staff:keys"), {"sort": sort, "cursor": page.newer}).context["page"]
    assert [key.name for key in back.rows] == seen[1]


def test_a_keys_page_shows_everything_but_its_value(staff_client, company, key, key_token, owner):
    shown = text(staff_client.get(reverse("staff:key", args=[key.pk])))
    for words in (company.name, owner.email, key.hint, key.pk, "tools:*", str(key.server)):
        assert words in shown
    assert key_token not in shown and bytes(key.digest).hex() not in shown


def test_a_keys_page_links_its_earlier_and_later_values(staff_client, key):
    new, _token = rotate_key(key=key, overlap=timedelta(hours=1), actor=SYSTEM)
    assert reverse("staff:key", args=[new.pk]) in text(staff_client.get(reverse("staff:key", args=[key.pk])))
    assert reverse("staff:key", args=[key.pk]) in text(staff_client.get(reverse("staff:key", args=[new.pk])))


def test_the_company_reads_that_staff_looked_once_an_hour(staff_client, owner_client, company, key, staff, settings):
    def looks():
        return AuditEvent.objects.filter(chain=company.pk, action="key:viewed_by_staff").count()

    settings.STAFF_IDLE_MINUTES = 90
    with time_machine.travel("2026-11-22 10:00Z", tick=False) as clock:
        staff_client.force_login(staff)
        staff_client.get(reverse("staff:key", args=[key.pk]))
        staff_client.get(reverse("staff:key", args=[key.pk]))
        assert looks() == 1
        clock.shift(timedelta(minutes=61))
        staff_client.get(reverse("staff:key", args=[key.pk]))
        assert looks() == 2
    shown = text(owner_client.get(reverse("audit", args=[company.slug])))
    assert "looked at the key" in shown and staff.name in shown


def test_revoking_needs_a_reason(staff_client, key):
    address = reverse("staff:key_revoke", args=[key.pk])
    assert staff_client.get(address).status_code == 200
    assert staff_client.post(address, {}).status_code == 400
    key.refresh_from_db()
    assert key.state == CredentialState.ACTIVE


def test_a_revoked_key_says_who_and_why_to_its_company(staff_client, company, key, staff):
    staff_client.post(reverse("staff:key_revoke", args=[key.pk]), {"why": "Leaked", "note": "in a\npublic repository"})
    key.refresh_from_db()
    assert (key.state, key.revoked_reason) == (CredentialState.REVOKED, "Leaked: in a public repository")
    event = AuditEvent.objects.get(chain=company.pk, action="key:revoked")
    assert (event.actor_kind, event.actor_id, event.target_id) == ("staff", staff.pk, key.pk)
    assert verify_chain(company.pk).intact


def test_revoking_one_never_asks_to_sign_in_again(staff_client, key):
    with time_machine.travel(timezone.now() + timedelta(minutes=25)):
        response = staff_client.post(reverse("staff:key_revoke", args=[key.pk]), {"why": "Leaked"})
        assert response["Location"] == reverse("staff:key", args=[key.pk])
    key.refresh_from_db()
    assert key.revoked_at


def test_revoking_twice_changes_nothing(staff_client, key):
    address = reverse("staff:key_revoke", args=[key.pk])
    staff_client.post(address, {"why": "Leaked"})
    first = Key.objects.get(pk=key.pk).revoked_at
    assert staff_client.post(address, {"why": "No longer needed"}).status_code == 302
    key.refresh_from_db()
    assert (key.revoked_at, key.revoked_reason) == (first, "Leaked")


def select(client, keys):
    return client.post(reverse("staff:keys_select"), {"key": [key.pk for key in keys]}, follow=True)


def make_keys(company, server, owner, number) -> list[Key]:
    return [factories.make_key(company, server, owner, name=f"Key {n}")[0] for n in range(number)]


def test_ticked_keys_are_revoked_together_under_one_incident(
    staff_client, company, other_company, server, owner, stranger
):
    keys = [*make_keys(company, server, owner, 3), *make_keys(other_company, server, stranger, 2)]
    kept = make_keys(company, server, owner, 1)[0]
    assert "Revoke 5 keys" in text(select(staff_client, keys))
    assert not Key.objects.filter(revoked_at__isnull=False).exists()
    staff_client.post(reverse("staff:keys_revoke"), {"why": "Suspected misuse"})
    assert Key.objects.filter(revoked_at__isnull=False).count() == 5
    kept.refresh_from_db()
    assert kept.is_usable
    events = AuditEvent.objects.filter(action="key:revoked")
    assert {event.chain for event in events} == {company.pk, other_company.pk}
    assert len({event.incident_id for event in events}) == 1 and events[0].incident_id


def test_nothing_ticked_is_said(staff_client, key):
    assert "Tick the keys to revoke first" in text(select(staff_client, []))
    assert "None of the selected keys" in text(staff_client.get(reverse("staff:keys_revoke"), follow=True))


def test_more_than_a_few_need_their_number_typed(staff_client, company, server, owner):
    keys = make_keys(company, server, owner, views.QUICK + 1)
    assert "Type the number" in text(select(staff_client, keys))
    staff_client.post(reverse("staff:keys_revoke"), {"why": "Leaked", "confirm": "10"})
    assert not Key.objects.filter(revoked_at__isnull=False).exists()
    staff_client.post(reverse("staff:keys_revoke"), {"why": "Leaked", "confirm": "11"})
    assert Key.objects.filter(revoked_at__isnull=False).count() == 11


def test_more_than_a_few_need_a_recent_sign_in_and_ten_do_not(staff_client, company, server, owner):
    keys = make_keys(company, server, owner, views.QUICK + 1)
    with time_machine.travel(timezone.now() + timedelta(minutes=25)):
        select(staff_client, keys[:-1])
        assert staff_client.get(reverse("staff:keys_revoke")).status_code == 200
        staff_client.post(reverse("staff:keys_select"), {"key": [key.pk for key in keys]})
        response = staff_client.get(reverse("staff:keys_revoke"))
        assert response.status_code == 302 and "reauthenticate" in response["Location"]
        response = staff_client.post(reverse("staff:keys_revoke"), {"why": "Leaked", "confirm": "11"})
        assert response.status_code == 302 and "reauthenticate" in response["Location"]
    assert not Key.objects.filter(revoked_at__isnull=False).exists()


def test_a_keys_page_takes_few_queries(staff_client, company, server, owner, key, django_assert_max_num_queries):
    make_keys(company, server, owner, 8)
    staff_client.get(reverse("staff:key", args=[key.pk]))
    with django_assert_max_num_queries(21):
        staff_client.get(reverse("staff:key", args=[key.pk]))
