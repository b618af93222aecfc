"""Staff pages: who gets in, the dashboard, companies, the record of all."""

from __future__ import annotations

import pytest
from django.core.cache import cache
from django.urls import get_resolver, reverse
from django.utils.html import escape

from portal.audit.models import AuditEvent
from portal.audit.services import verify_chain
from portal.companies.models import CompanyState
from tests import factories

pytestmark = pytest.mark.django_db


def text(response) -> str:
    return response.content.decode()


def staff_pages(company, key, server) -> list[str]:
    """The address of every page under /staff/."""
    values = {"company_id": company.pk, "key_id": key.pk, "server_id": server.pk, "credential_id": "0" * 12,
              "connection_id": "0" * 12, "user_id": "0" * 12, "run_id": "0" * 12, "token_id": "0" * 12}  # fmt: skip
    found = []
    for name, entries in get_resolver().namespace_dict["staff"][1].reverse_dict.lists():
        if isinstance(name, str):
            parameters = entries[0][0][0][1]
            found.append(reverse(f"staff:{name}", kwargs={each: values[each] for each in parameters}))
    assert len(found) > 15
    return found


def test_members_are_told_that_there_is_no_such_page(owner_client, company, key, server):
    for address in staff_pages(company, key, server):
        assert owner_client.get(address).status_code == 404, address
        assert owner_client.post(address).status_code == 404, address


def test_who_is_not_signed_in_goes_to_sign_in(client, company, key, server):
    for address in staff_pages(company, key, server):
        response = client.get(address)
        assert response.status_code == 302 and "/accounts/login/" in response["Location"], address


def test_staff_whose_rights_ended_are_out_at_once(staff_client, staff):
    assert staff_client.get(reverse("staff:dashboard")).status_code == 200
    staff.is_staff = False
    staff.save()
    assert staff_client.get(reverse("staff:dashboard")).status_code == 404


def test_staff_need_a_second_factor_where_it_is_asked_for(staff_client, settings):
    settings.STAFF_SECOND_FACTOR = True
    for address in (reverse("staff:dashboard"), reverse("staff:keys")):
        response = staff_client.get(address)
        assert (response.status_code, response["Location"]) == (302, reverse("mfa_index"))


def test_staff_with_a_second_factor_get_in(staff_client, staff, settings):
    from allauth.mfa.models import Authenticator

    settings.STAFF_SECOND_FACTOR = True
    Authenticator.objects.create(user=staff, type=Authenticator.Type.TOTP, data={})
    assert staff_client.get(reverse("staff:dashboard")).status_code == 200


def test_pages_are_not_kept_by_the_browser(staff_client):
    assert "no-store" in staff_client.get(reverse("staff:dashboard"))["Cache-Control"]


def test_the_dashboard_counts_by_state(staff_client, company, key, server, owner):
    factories.make_company("Waiting", state=CompanyState.PENDING)
    from keys.services import revoke_key
    from portal.audit.actors import SYSTEM

    revoked, _token = factories.make_key(company, server, owner, name="Old one")
    revoke_key(key=revoked, reason="Leaked", actor=SYSTEM)
    cache.clear()
    response = staff_client.get(reverse("staff:dashboard"))
    totals = response.context["totals"]
    assert totals.companies == {"pending": 1, "active": 1, "suspended": 0, "closed": 0}
    assert totals.keys == {"active": 1, "rotating": 0, "expired": 0, "revoked": 1}
    assert "Waiting" in text(response) and "Old one" in text(response) and "Leaked" in text(response)


def test_the_dashboard_is_useful_when_there_is_nothing(staff_client):
    shown = text(staff_client.get(reverse("staff:dashboard")))
    assert "No company yet" in shown and "No key was revoked yet" in shown


def test_companies_are_found_by_name_id_slug_and_member(staff_client, company, other_company, stranger):
    def names(**query):
        return [row.name for row in staff_client.get(reverse("staff:companies"), query).context["page"].rows]

    assert names(q="aCM") == ["Acme"]
    assert names(q="cme") == []  # a name is found by how it begins
    assert names(q=company.pk) == ["Acme"]
    assert names(q=company.slug) == ["Acme"]
    assert names(q=stranger.email.upper()) == [other_company.name]
    assert names(q="nobody") == []
    assert set(names()) == {"Acme", other_company.name}


def test_companies_are_filtered_by_state_and_sorted(staff_client, company, other_company):
    waiting = factories.make_company("Waiting", state=CompanyState.PENDING)

    def names(**query):
        return [row.name for row in staff_client.get(reverse("staff:companies"), query).context["page"].rows]

    assert names(state="pending") == ["Waiting"]
    assert names(sort="name") == ["Acme", "Stranger's", "Waiting"]
    assert names(sort="newest")[0] == waiting.name
    assert names(sort="oldest")[-1] == waiting.name


def test_companies_show_their_members_and_keys_in_use(staff_client, company, key):
    row = next(row for row in staff_client.get(reverse("staff:companies")).context["page"].rows if row == company)
    assert (row.member_count, row.key_count) == (2, 1)


def test_a_company_shows_members_keys_and_card(staff_client, company, key, owner, colleague):
    from portal.billing.models import CardConfirmation

    CardConfirmation.objects.create(
        company=company, gateway="dummy", gateway_token="secret-gateway-token", brand="visa", last_four="4242",
        expiry_month=11, expiry_year=2033, cardholder="Olga", confirmed_by=owner,
    )  # fmt: skip
    shown = text(staff_client.get(reverse("staff:company", args=[company.pk])))
    for words in (owner.email, colleague.email, escape(key.name), key.hint, "4242", "Visa"):
        assert words in shown
    assert "secret-gateway-token" not in shown


def test_a_company_that_does_not_exist_is_404(staff_client):
    assert staff_client.get(reverse("staff:company", args=["nosuch"])).status_code == 404


def test_suspending_needs_a_reason(staff_client, company):
    address = reverse("staff:company_suspend", args=[company.pk])
    assert staff_client.get(address).status_code == 200
    assert staff_client.post(address, {"why": ""}).status_code == 400
    assert "Say in a few words why" in text(staff_client.post(address, {"why": "Other", "note": " "}))
    company.refresh_from_db()
    assert company.state == "active"


def test_a_suspended_company_reads_why_and_its_keys_are_refused(staff_client, owner_client, company, key, staff):
    address = reverse("staff:company_suspend", args=[company.pk])
    response = staff_client.post(address, {"why": "Suspected misuse", "note": "many addresses"})
    assert response["Location"] == reverse("staff:company", args=[company.pk])
    company.refresh_from_db()
    assert company.state == "suspended"
    event = AuditEvent.objects.get(chain=company.pk, action="company:suspended")
    assert (event.actor_kind, event.actor_id) == ("staff", staff.pk)
    assert event.reason == "Suspected misuse: many addresses"
    shown = text(owner_client.get(reverse("audit", args=[company.slug])))
    assert "Suspected misuse: many addresses" in shown and staff.email not in shown


def test_a_company_is_reactivated_on_confirmation(staff_client, company):
    staff_client.post(reverse("staff:company_suspend", args=[company.pk]), {"why": "Terms not kept"})
    address = reverse("staff:company_reactivate", args=[company.pk])
    staff_client.get(address)
    company.refresh_from_db()
    assert company.state == "suspended"
    staff_client.post(address)
    company.refresh_from_db()
    assert company.state == "active"
    assert AuditEvent.objects.filter(chain=company.pk, action="company:reactivated", actor_kind="staff").exists()
    assert verify_chain(company.pk).intact


def test_a_company_without_a_card_cannot_be_suspended(staff_client):
    waiting = factories.make_company("Waiting", state=CompanyState.PENDING)
    response = staff_client.post(reverse("staff:company_suspend", args=[waiting.pk]), {"why": "Terms not kept"})
    assert response.status_code == 302
    waiting.refresh_from_db()
    assert waiting.state == "pending"


def test_the_record_of_all_names_the_company_of_each_event(staff_client, company, other_company, key):
    factories.make_key(other_company, key.server, other_company.memberships.get().user, name="Their key")
    shown = text(staff_client.get(reverse("staff:audit")))
    assert escape(key.name) in shown and "Their key" in shown
    assert "Acme" in shown and "Stranger" in shown and "Platform" in shown
    shown = text(staff_client.get(reverse("staff:audit"), {"chain": company.pk}))
    assert "Their key" not in shown and "Verified" in shown
    assert staff_client.get(reverse("staff:audit"), {"chain": "platform"}).status_code == 200
    assert staff_client.get(reverse("staff:audit"), {"chain": "nosuch"}).status_code == 404


@pytest.mark.parametrize("name", ["dashboard", "companies", "keys", "servers", "audit"])
def test_every_list_takes_few_queries_however_many_rows(
    staff_client, company, server, owner, name, django_assert_max_num_queries
):
    for number in range(12):
        made = factories.make_company(f"Company {number}", owner=factories.make_user())
        factories.make_key(made, server, made.memberships.get().user)
        factories.make_server()
    staff_client.get(reverse(f"staff:{name}"))
    cache.clear()
    with django_assert_max_num_queries(30 if name == "dashboard" else 17):
        staff_client.get(reverse(f"staff:{name}"))


@pytest.mark.parametrize("name", ["companies", "keys", "servers", "audit"])
@pytest.mark.parametrize("query", [{"cursor": "x"}, {"q": "\0"}, {"sort": "'"}, {"state": "x"}, {"q": "x" * 400}])
def test_nonsense_in_an_address_is_no_error(staff_client, company, name, query):
    assert staff_client.get(reverse(f"staff:{name}"), query).status_code == 200
