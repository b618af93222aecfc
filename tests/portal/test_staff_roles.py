"""What each of the staff may do, who gives roles, and how long staff stay signed in."""

from __future__ import annotations

import re
from ipaddress import ip_network

import pytest
import time_machine
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from portal.audit.models import AuditEvent
from portal.staff.errors import LastAdministrator
from portal.staff.people import set_staff_role, staff_role
from portal.staff.roles import ACTS, StaffRole, may
from tests import factories

pytestmark = pytest.mark.django_db


def views(resolver: URLResolver, before: str = "") -> list[tuple[str, object]]:
    """Every address of the staff's pages with its view."""
    found = []
    for entry in resolver.url_patterns:
        route = before + str(entry.pattern)
        if isinstance(entry, URLPattern):
            found.append((route, entry.callback))
        else:
            found += views(entry, route)
    return [(route, view) for route, view in found if route.startswith("staff/")]


STAFF = sorted(views(get_resolver()), key=lambda entry: entry[0])


def browser(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_every_view_of_the_staff_names_an_act():
    assert len(STAFF) > 30
    assert [route for route, view in STAFF if getattr(view, "staff_act", None) not in ACTS] == []


@pytest.mark.slow
@pytest.mark.parametrize("role", StaffRole.values)
def test_every_role_is_tried_on_every_view(role):
    client = browser(factories.make_staff(role=role))
    for route, view in STAFF:
        address = "/" + re.sub(r"<(?:\w+:)?\w+>", "AAAAAAAAAAAA", route)
        answers = {client.get(address).status_code, client.post(address).status_code}
        refused = 403 in answers
        assert refused != may(role, view.staff_act), (role, route, answers)


def test_staff_without_a_role_see_and_do_nothing_more():
    user = factories.make_user(is_staff=True)
    assert staff_role(user) == StaffRole.VIEWER


def test_createsuperuser_makes_an_administrator():
    from portal.accounts.models import User

    made = User.objects.create_superuser("root@example.com", "x" * 20, name="Root")
    assert staff_role(made) == StaffRole.ADMINISTRATOR


def test_a_viewer_is_offered_no_act(company, key, server):
    client = browser(factories.make_staff(role=StaffRole.VIEWER))
    for name, identifier in (("key", key.pk), ("company", company.pk), ("server", server.pk)):
        shown = client.get(reverse(f"staff:{name}", args=[identifier])).content.decode()
        assert not re.search(rf'href="/staff/{name}[a-z]*/{identifier}/(revoke|suspend|stop|edit)/', shown), name


def test_an_administrator_gives_and_takes_roles(staff_client, owner):
    address = reverse("staff:person_role", args=[owner.pk])
    assert staff_client.post(address, {"role": "support"})["Location"] == reverse("staff:person", args=[owner.pk])
    owner.refresh_from_db()
    assert (staff_role(owner), owner.is_superuser) == (StaffRole.SUPPORT, False)
    assert AuditEvent.objects.get(action="staff:role_changed").data == {"role": "support", "old_role": ""}
    staff_client.post(address, {"role": ""})
    owner.refresh_from_db()
    assert staff_role(owner) is None and not owner.is_staff
    assert AuditEvent.objects.filter(action="staff:role_removed", target_id=owner.pk).exists()


def test_the_last_administrator_stays_one(staff_client, staff):
    factories.make_staff(role=StaffRole.SUPPORT)
    response = staff_client.post(reverse("staff:person_role", args=[staff.pk]), {"role": "support"})
    assert "needs an administrator" in response.content.decode()
    assert staff_role(staff) == StaffRole.ADMINISTRATOR
    with pytest.raises(LastAdministrator):
        set_staff_role(user=staff, role="", actor=factories.SYSTEM)
    other = factories.make_staff()
    set_staff_role(user=staff, role="", actor=factories.SYSTEM)
    staff.refresh_from_db()
    assert staff_role(staff) is None and staff_role(other) == StaffRole.ADMINISTRATOR


def test_giving_a_role_needs_a_recent_sign_in(staff_client, owner):
    with time_machine.travel(timezone.now() + timezone.timedelta(minutes=15)):
        response = staff_client.get(reverse("staff:person_role", args=[owner.pk]))
    assert "reauthenticate" in response["Location"]


def test_a_person_is_signed_out_everywhere(staff_client, owner, owner_client, company):
    assert owner_client.get("/account/").status_code == 200
    staff_client.post(reverse("staff:person_sign_out", args=[owner.pk]), {"reason": "Laptop lost"})
    assert owner_client.get("/account/").status_code == 302
    event = AuditEvent.objects.get(action="account:sessions_ended")
    assert (event.reason, event.data, event.actor_kind) == ("Laptop lost", {"count": 1}, "staff")


def test_people_are_found_and_shown(staff_client, owner, key):
    shown = staff_client.get(reverse("staff:people"), {"q": "owner@"}).content.decode()
    assert owner.email in shown
    shown = staff_client.get(reverse("staff:person", args=[owner.pk])).content.decode()
    assert "Acme" in shown and key.hint in shown


def test_a_session_of_staff_ends_when_it_is_left_alone(staff_client, settings):
    assert staff_client.get("/staff/").status_code == 200
    with time_machine.travel(timezone.now() + timezone.timedelta(minutes=settings.STAFF_IDLE_MINUTES + 1)):
        assert staff_client.get("/staff/")["Location"].startswith(reverse("account_login"))
        assert staff_client.get("/account/").status_code == 302


def test_a_session_of_staff_ends_after_its_hours_however_busy(staff_client, settings):
    start = timezone.now()
    for minutes in range(0, settings.STAFF_SESSION_HOURS * 60, 20):
        with time_machine.travel(start + timezone.timedelta(minutes=minutes)):
            assert staff_client.get("/staff/people/").status_code == 200
    with time_machine.travel(start + timezone.timedelta(hours=settings.STAFF_SESSION_HOURS, minutes=1)):
        assert staff_client.get("/staff/people/").status_code == 302


def test_members_stay_signed_in(owner_client, settings):
    with time_machine.travel(timezone.now() + timezone.timedelta(hours=settings.STAFF_SESSION_HOURS + 1)):
        assert owner_client.get("/account/").status_code == 200


def test_the_admin_is_reached_only_from_its_list(staff_client, settings):
    settings.ADMIN_ADDRESSES = [ip_network("203.0.113.0/24")]
    for address in ("/admin/", "/admin/login/", "/admin/keys/key/"):
        assert staff_client.get(address).status_code == 404
        assert staff_client.get(address, REMOTE_ADDR="203.0.113.9").status_code in {200, 302}
    assert staff_client.get("/staff/").status_code == 200
