"""Django's admin: behind the portal's sign-in, read-mostly, without digests."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.urls import reverse

from keys.models import Key
from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.companies.models import Company
from tests import factories

pytestmark = pytest.mark.django_db


def text(response) -> str:
    return response.content.decode()


def change(row) -> str:
    return reverse(f"admin:{row._meta.label_lower.replace('.', '_')}_change", args=[row.pk])


@pytest.fixture
def superuser(db):
    return factories.make_user("Root", "root@example.com", is_staff=True, is_superuser=True)


@pytest.fixture
def super_client(client, superuser):
    client.force_login(superuser)
    return client


def test_who_is_not_signed_in_gets_the_portals_own_sign_in(client):
    response = client.get("/admin/", follow=True)
    assert response.redirect_chain[-1][0].startswith("/accounts/login/")


def test_members_are_refused(owner_client):
    assert owner_client.get("/admin/login/").status_code == 403
    assert owner_client.get("/admin/", follow=True).status_code == 403


def test_staff_need_a_second_factor_where_it_is_asked_for(staff_client, settings):
    settings.STAFF_SECOND_FACTOR = True
    response = staff_client.get("/admin/", follow=True)
    assert response.redirect_chain[-1][0] == reverse("mfa_index")


def test_it_wears_the_portals_colours_and_keeps_the_content_policy(super_client):
    response = super_client.get("/admin/")
    assert "css/admin.css" in text(response)
    policy = response["Content-Security-Policy"]
    assert "script-src 'self'" in policy and "unsafe" not in policy


def test_only_read_mostly_records_are_there(super_client):
    from portal.staff.site import ReadOnlyAdmin

    assert all(isinstance(entry, ReadOnlyAdmin) for entry in admin.site._registry.values())
    names = {model.__name__ for model in admin.site._registry}
    assert {"User", "Company", "Membership", "McpServer", "Key", "ServerCredential", "AuditEvent"} <= names
    assert not names & {"EmailAddress", "Authenticator", "Group", "UserSession"}


@pytest.mark.parametrize("model", list(admin.site._registry), ids=lambda model: model.__name__)
def test_every_list_opens_searches_and_adds_nothing(super_client, model, key):
    name = model._meta.label_lower.replace(".", "_")
    address = reverse(f"admin:{name}_changelist")
    assert super_client.get(address).status_code == 200
    assert super_client.get(address, {"q": "acme"}).status_code == 200
    assert super_client.get(reverse(f"admin:{name}_add")).status_code == 403


def test_keys_and_events_cannot_be_changed_or_deleted(super_client, key):
    event = AuditEvent.objects.filter(action="key:created").get()
    for row in (key, event, key.server):
        assert super_client.get(change(row)).status_code == 200
        assert super_client.post(change(row), {"name": "other", "reason": "other"}).status_code == 403
        delete = change(row).replace("/change/", "/delete/")
        assert super_client.post(delete, {"post": "yes"}).status_code == 403
    assert Key.objects.get(pk=key.pk).name == key.name


def test_no_digest_is_shown(super_client, key):
    digest = bytes(Key.objects.get(pk=key.pk).digest)
    shown = text(super_client.get(change(key)))
    assert key.hint in shown
    assert digest.hex() not in shown and str(digest) not in shown and "pepper" not in shown.lower()


def test_the_company_reads_that_staff_looked_at_its_key_here_too(super_client, superuser, company, key):
    super_client.get(change(key))
    event = AuditEvent.objects.get(chain=company.pk, action="key:viewed_by_staff")
    assert (event.actor_id, event.target_id) == (superuser.pk, key.pk)


def test_a_user_cannot_be_made_staff_or_given_an_address_here(super_client, owner):
    super_client.post(
        change(owner), {"name": "New name", "is_staff": "on", "is_superuser": "on", "email": "x@example.com"}
    )
    user = User.objects.get(pk=owner.pk)
    assert (user.name, user.is_staff, user.is_superuser, user.email) == ("New name", False, False, owner.email)
    event = AuditEvent.objects.get(action="account:updated")
    assert (event.actor_kind, event.target_id, event.data) == ("staff", owner.pk, {"fields": ["name"]})


def test_a_companys_state_cannot_be_changed_here_but_its_currency_can(super_client, company):
    super_client.post(
        change(company), {"state": "closed", "plan": "unlimited", "currency": "EUR", "time_zone": "Europe/Paris"}
    )
    after = Company.objects.get(pk=company.pk)
    assert (after.state, after.plan, after.currency, after.time_zone) == (
        company.state, company.plan, "EUR", "Europe/Paris",
    )  # fmt: skip
    event = AuditEvent.objects.get(chain=company.pk, action="company:updated")
    assert (event.actor_kind, event.data) == ("staff", {"fields": ["currency", "time_zone"]})


def test_staff_without_djangos_permissions_look_and_change_nothing(staff_client, company):
    assert staff_client.get(change(company)).status_code == 200
    assert staff_client.post(change(company), {"currency": "EUR", "time_zone": "UTC"}).status_code == 403


def test_passwords_change_on_the_portals_own_page(super_client):
    assert super_client.get("/admin/password_change/")["Location"] == reverse("account_change_password")
    assert super_client.get(f"/admin/accounts/user/{'0' * 12}/password/").status_code in {302, 404}
