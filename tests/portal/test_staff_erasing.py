"""Erasing a person on their page: what it says, what it refuses, and what is left."""

from __future__ import annotations

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from keys.models import Key
from portal.accounts.erasure import is_erased
from portal.audit.models import AuditChain, AuditEvent
from portal.audit.services import verify_chain
from portal.companies.models import Membership
from portal.staff.models import StaffMember
from portal.staff.roles import StaffRole
from tests import factories

pytestmark = pytest.mark.django_db


def page(user) -> str:
    return reverse("staff:person_erase", args=[user.pk])


def sent(user, **changes: str) -> dict[str, str]:
    return {"reason": "Asked for it by letter, case 4711", "confirm": user.email} | changes


def test_the_page_says_what_goes_and_what_stays(staff_client, company, colleague, stranger, other_company):
    shown = staff_client.get(page(colleague)).content.decode()
    assert "They leave Acme" in shown and "The chains still verify" in shown
    shown = staff_client.get(page(stranger)).content.decode()
    assert "is closed, since nobody else is in it" in shown
    assert page(colleague) in staff_client.get(reverse("staff:person", args=[colleague.pk])).content.decode()


def test_a_person_is_erased_and_the_record_holds(staff_client, staff, company, server, colleague):
    key, _token = factories.make_key(company, server, colleague)
    name, email = colleague.name, colleague.email
    response = staff_client.post(page(colleague), sent(colleague), follow=True)
    shown = response.content.decode()
    assert "The person is erased" in shown and "Erased person" in shown
    assert name not in shown and email not in shown
    colleague.refresh_from_db()
    assert is_erased(colleague) and not colleague.is_active
    assert Key.objects.get(pk=key.pk).revoked_at
    assert not Membership.objects.filter(user=colleague).exists()
    event = AuditEvent.objects.get(action="account:erased")
    assert (event.actor_kind, event.actor_id, event.target_id) == ("staff", staff.pk, colleague.pk)
    assert event.reason == "Asked for it by letter, case 4711"
    assert not AuditEvent.objects.filter(target_label__contains=name).exists()
    assert not AuditEvent.objects.filter(actor_label__contains=name).exists()
    assert [
        chain for chain in AuditChain.objects.values_list("name", flat=True) if not verify_chain(chain).intact
    ] == []


def test_nothing_happens_without_the_address_typed(staff_client, company, colleague):
    response = staff_client.post(page(colleague), sent(colleague, confirm="somebody@example.com"))
    assert response.status_code == 400 and "not the address" in response.content.decode()
    colleague.refresh_from_db()
    assert not is_erased(colleague)


@pytest.mark.parametrize("field", ["name", "email"])
def test_the_reason_must_not_name_the_person(staff_client, company, colleague, field):
    reason = f"{getattr(colleague, field).upper()} asked for it"
    response = staff_client.post(page(colleague), sent(colleague, reason=reason))
    assert response.status_code == 400 and "names the person" in response.content.decode()
    assert not AuditEvent.objects.filter(action="account:erased").exists()


def test_the_only_owner_has_to_hand_over_first(staff_client, company, owner):
    shown = staff_client.get(page(owner)).content.decode()
    assert "First hand over" in shown and reverse("staff:company", args=[company.pk]) in shown
    assert 'name="confirm"' not in shown
    response = staff_client.post(page(owner), sent(owner))
    assert response.status_code == 400 and "Nobody else owns Acme" in response.content.decode()
    owner.refresh_from_db()
    assert owner.name and Membership.objects.filter(user=owner).exists()


def test_nobody_erases_themselves_here(staff_client, staff):
    factories.make_staff()
    shown = staff_client.get(page(staff)).content.decode()
    assert "Delete your own account" in shown and 'name="confirm"' not in shown
    assert staff_client.post(page(staff), sent(staff)).status_code == 400
    staff.refresh_from_db()
    assert not is_erased(staff)


def test_a_member_of_the_staff_loses_the_role_with_the_name(staff_client):
    other = factories.make_staff(role=StaffRole.SUPPORT)
    staff_client.post(page(other), sent(other))
    other.refresh_from_db()
    assert is_erased(other) and not other.is_staff
    assert not StaffMember.objects.filter(user=other).exists()


def test_an_erased_person_is_not_erased_again(staff_client, company, colleague):
    staff_client.post(page(colleague), sent(colleague))
    response = staff_client.get(page(colleague), follow=True)
    assert "erased already" in response.content.decode()
    assert AuditEvent.objects.filter(action="account:erased").count() == 1


def test_an_erased_person_is_signed_out(staff_client, company, colleague, colleague_client):
    assert colleague_client.get("/account/").status_code == 200
    staff_client.post(page(colleague), sent(colleague))
    assert colleague_client.get("/account/").status_code == 302


@pytest.mark.parametrize("role", [StaffRole.SUPPORT, StaffRole.VIEWER])
def test_administrators_only(company, colleague, role):
    client = Client()
    client.force_login(factories.make_staff(role=role))
    assert client.get(page(colleague)).status_code == 403
    assert client.post(page(colleague), sent(colleague)).status_code == 403
    assert page(colleague) not in client.get(reverse("staff:person", args=[colleague.pk])).content.decode()


def test_a_recent_sign_in_is_asked_for(staff_client, company, colleague):
    with time_machine.travel(timezone.now() + timezone.timedelta(minutes=15)):
        assert "reauthenticate" in staff_client.get(page(colleague))["Location"]
        assert "reauthenticate" in staff_client.post(page(colleague), sent(colleague))["Location"]
    colleague.refresh_from_db()
    assert not is_erased(colleague)
