"""Companies: their life, their members, their names, and who may open their pages."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from portal.audit.actors import SYSTEM, Actor
from portal.audit.models import AuditEvent
from portal.companies import services
from portal.companies.errors import AlreadyMember, LastOwner, WrongState
from portal.companies.models import Company, CompanyState, Membership
from portal.companies.roles import ACTS, Role
from portal.companies.selectors import company_members, user_companies
from portal.companies.signals import company_state_changed, member_removed
from portal.companies.words import ROLE_WORDS
from portal.names import clean_company_name, clean_name
from tests import factories


def made(owner, name="Acme Tools"):
    return services.create_company(name=name, currency="EUR", owner=owner, actor=Actor.user(owner))


def actions(company):
    return list(AuditEvent.objects.filter(chain=company.pk).order_by("number").values_list("action", flat=True))


def test_a_new_company_is_pending_and_belongs_to_its_maker(owner):
    company = made(owner)
    assert (company.state, company.currency, company.slug) == ("pending", "EUR", "acme-tools")
    assert company.memberships.get().role == Role.OWNER
    assert actions(company) == ["company:created"]


def test_the_same_name_gets_another_slug(owner):
    slugs = [made(owner).slug for _ in range(5)]
    assert slugs[:3] == ["acme-tools", "acme-tools-2", "acme-tools-3"]
    assert len(set(slugs)) == 5
    assert slugs[4].startswith("acme-tools-") and slugs[4] != "acme-tools-5"


@pytest.mark.parametrize("name", ["株式会社", "Ελλάς", "Admin", "new"])
def test_a_name_without_latin_letters_or_of_a_reserved_word_gets_a_slug_that_works(owner, owner_client, name):
    company = made(owner, name)
    assert company.slug not in services.RESERVED_SLUGS
    assert owner_client.get(reverse("company", kwargs={"slug": company.slug})).status_code == 200


@pytest.mark.parametrize(
    "name",
    ["Acme\u202egnp.exe", "Acme\u200b", "Ac\x07me", "Acme\nInc", "https://evil.example", "www.evil.example",
     "Visit evil.com now", "me@evil.com", "...", "", "\u3164", "e" + "\u0301" * 6, "Latchkey", "L a t c h k e y",
     "\uff2c\uff21\uff34\uff23\uff28\uff2b\uff25\uff39"],
)  # fmt: skip
def test_a_name_that_could_deceive_is_refused(db, owner, name):
    with pytest.raises(ValidationError):
        made(owner, name)
    assert not Company.objects.exists()


@pytest.mark.parametrize(
    "name",
    ["Müller & Söhne GmbH", "O'Neill", "株式会社ゴトー", "A.P. Moller", "3M", "\u06a9\u062a\u200c\u0647"],
)
def test_an_honest_name_is_taken_as_it_is(name):
    assert clean_company_name(f"  {name}  ") == name


def test_a_persons_name_may_hold_the_portals_word():
    assert clean_name("Larry  Latchkey") == "Larry Latchkey"


def test_a_company_goes_through_its_states_with_an_event_and_a_signal_each(owner):
    heard = []

    def listener(sender, company, actor, **kwargs):
        heard.append(company.state)

    company_state_changed.connect(listener)
    try:
        company = made(owner)
        services.activate_company(company=company, actor=SYSTEM)
        services.suspend_company(company=company, reason="Chargeback", actor=SYSTEM)
        services.reactivate_company(company=company, actor=SYSTEM)
        services.close_company(company=company, actor=SYSTEM)
    finally:
        company_state_changed.disconnect(listener)
    assert heard == ["active", "suspended", "active", "closed"]
    verbs = [action.partition(":")[2] for action in actions(company)]
    assert verbs == ["created", "activated", "suspended", "reactivated", "closed"]
    company.refresh_from_db()
    assert company.suspended_reason == "" and company.closed_at


@pytest.mark.parametrize(
    ("state", "act"),
    [("active", "activate"), ("suspended", "activate"), ("pending", "suspend"), ("suspended", "suspend"),
     ("active", "reactivate"), ("pending", "reactivate"), ("closed", "reactivate"), ("closed", "close"),
     ("closed", "activate")],
)  # fmt: skip
def test_an_act_from_the_wrong_state_is_refused_and_leaves_no_event(owner, state, act):
    company = factories.make_company(state=state, owner=owner)
    arguments = {"reason": "x"} if act == "suspend" else {}
    with pytest.raises(WrongState):
        getattr(services, f"{act}_company")(company=company, actor=SYSTEM, **arguments)
    assert actions(company) == []


def test_the_last_owner_stays(company, owner):
    membership = company.memberships.get(user=owner)
    with pytest.raises(LastOwner):
        services.remove_member(membership=membership, actor=SYSTEM)
    with pytest.raises(LastOwner):
        services.change_role(membership=membership, role=Role.ADMIN, actor=SYSTEM)
    assert company.memberships.get(user=owner).role == Role.OWNER


def test_a_second_owner_lets_the_first_one_go(company, owner, colleague):
    services.change_role(membership=company.memberships.get(user=colleague), role=Role.OWNER, actor=SYSTEM)
    services.remove_member(membership=company.memberships.get(user=owner), actor=SYSTEM)
    assert [member.user for member in company_members(company)] == [colleague]
    assert actions(company) == ["member:role_changed", "member:removed"]


def test_whoever_listens_hears_of_a_removed_member_inside_the_transaction(company, colleague):
    def refuse(sender, company, user, actor, **kwargs):
        raise RuntimeError(user.email)

    member_removed.connect(refuse)
    try:
        with pytest.raises(RuntimeError, match="colleague"):
            services.remove_member(membership=company.memberships.get(user=colleague), actor=SYSTEM)
    finally:
        member_removed.disconnect(refuse)
    assert company.memberships.filter(user=colleague).exists()
    assert actions(company) == []


def test_nobody_is_a_member_twice(company, colleague):
    with pytest.raises(AlreadyMember):
        services.add_member(company=company, user=colleague, role=Role.VIEWER, actor=SYSTEM)


def test_a_removed_member_loses_access_at_once(company, colleague, colleague_client):
    address = reverse("company", kwargs={"slug": company.slug})
    assert colleague_client.get(address).status_code == 200
    services.remove_member(membership=company.memberships.get(user=colleague), actor=SYSTEM)
    assert colleague_client.get(address).status_code == 404


PAGES = ["company", "team", "card"]


@pytest.mark.parametrize("page", PAGES)
def test_a_foreign_company_answers_like_one_that_does_not_exist(page, company, stranger_client):
    foreign = stranger_client.get(reverse(page, kwargs={"slug": company.slug}))
    missing = stranger_client.get(reverse(page, kwargs={"slug": "no-such-company"}))
    assert foreign.status_code == missing.status_code == 404
    assert company.name not in foreign.content.decode()


@pytest.mark.parametrize("page", PAGES)
def test_who_is_not_signed_in_is_sent_to_sign_in(page, company, client):
    address = reverse(page, kwargs={"slug": company.slug})
    response = client.get(address)
    assert response.status_code == 302
    assert response["Location"].startswith(reverse("account_login"))


def test_a_role_that_lacks_the_act_is_refused(company, colleague_client):
    assert colleague_client.get(reverse("card", kwargs={"slug": company.slug})).status_code == 403


def test_a_closed_company_is_gone_for_its_members(company, colleague, colleague_client):
    services.close_company(company=company, actor=SYSTEM)
    assert colleague_client.get(reverse("company", kwargs={"slug": company.slug})).status_code == 404
    assert not user_companies(colleague).exists()


def test_home_is_the_company_opened_last(owner, owner_client, company):
    other = made(owner, "Zebra")
    assert owner_client.get(reverse("home"))["Location"] == reverse("company", kwargs={"slug": company.slug})
    owner_client.get(reverse("company", kwargs={"slug": other.slug}))
    assert owner_client.get(reverse("home"))["Location"] == reverse("company", kwargs={"slug": other.slug})


def test_home_of_staff_without_a_company_is_the_staffs_dashboard(client, db):
    client.force_login(factories.make_user(is_staff=True))
    assert client.get(reverse("home"))["Location"] == reverse("staff:dashboard")


def test_home_without_a_company_leads_to_making_one(client, db):
    client.force_login(factories.make_user())
    assert client.get(reverse("home"))["Location"] == reverse("new_company")
    assert "Create your company" in client.get(reverse("new_company")).content.decode()


def test_another_company_is_made_on_its_page(owner, owner_client):
    response = owner_client.post(reverse("new_company"), {"company_name": "Second", "currency": "THB"})
    company = Company.objects.get(name="Second")
    assert response["Location"] == reverse("card", kwargs={"slug": company.slug})
    assert company.state == CompanyState.PENDING
    assert Membership.objects.get(company=company).user == owner


def test_the_overview_leads_from_step_to_step(owner, client):
    client.force_login(owner)
    company = made(owner)
    address = reverse("company", kwargs={"slug": company.slug})
    assert client.get(address).context["next_step"].url == reverse("card", kwargs={"slug": company.slug})
    services.activate_company(company=company, actor=SYSTEM)
    assert client.get(address).context["next_step"].url == reverse("keys:new", kwargs={"slug": company.slug})


def test_the_overview_of_a_company_in_use_has_no_steps_left(owner_client, company, key):
    key.last_used_at = key.created_at
    key.save()
    response = owner_client.get(reverse("company", kwargs={"slug": company.slug}))
    assert response.context["next_step"] is None
    assert response.context["active_keys"] == 1


def test_a_viewer_of_the_overview_sees_no_audit_events(owner, colleague_client, company):
    services.suspend_company(company=company, reason="Chargeback", actor=SYSTEM)
    response = colleague_client.get(reverse("company", kwargs={"slug": company.slug}))
    assert response.context["events"] == []
    assert "Chargeback" in response.content.decode()


def test_the_overview_asks_the_database_a_fixed_number_of_times(
    owner_client, company, key, django_assert_max_num_queries
):
    address = reverse("company", kwargs={"slug": company.slug})
    owner_client.get(address)
    with django_assert_max_num_queries(21):
        owner_client.get(address)


def test_the_team_page_lists_members_and_what_each_role_may(owner_client, company):
    page = owner_client.get(reverse("team", kwargs={"slug": company.slug})).content.decode()
    assert "colleague@example.com" in page and "Owner" in page
    assert set(ROLE_WORDS) == set(Role)


def test_a_name_with_markup_is_shown_as_text(client, owner):
    client.force_login(owner)
    company = made(owner, "<b onclick=x>Bold</b>")
    page = client.get(reverse("company", kwargs={"slug": company.slug})).content.decode()
    assert "<b onclick" not in page and "&lt;b onclick" in page


def test_an_unknown_act_is_a_mistake_at_import():
    from portal.companies.access import company_page

    with pytest.raises(KeyError):
        company_page("company:explode")
    assert "company:view" in ACTS
