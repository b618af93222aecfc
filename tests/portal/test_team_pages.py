"""The team's pages: roles, removal with or without handing over, leaving, handing the company over."""

from __future__ import annotations

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from keys.management_tokens.services import TokenRefused, check_token, create_token
from keys.models import Key
from portal.audit.actors import SYSTEM, Actor
from portal.audit.models import AuditEvent
from portal.companies import services
from portal.companies.errors import NoHeir, NotAllowed
from tests import factories
from tests.portal.inviting import give_second_factor

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _commits(monkeypatch):
    monkeypatch.setattr("portal.companies.mails.on_commit", lambda act: act())


@pytest.fixture
def colleagues_key(company, server, colleague) -> tuple[Key, str]:
    key, token = factories.make_key(company, server, colleague, name="Colin's CI")
    return key, token.text


def page(name, company, *args):
    return reverse(name, args=[company.slug, *args])


def role_of(company, user):
    return company.memberships.get(user=user).role


def signed_in(user):
    client = Client()
    client.force_login(user)
    return client


def old_sign_in(client):
    session = client.session
    session["signed_in_at"] = 0
    session["account_authentication_methods"] = []
    session.save()


def actions(company):
    return list(AuditEvent.objects.filter(chain=company.pk).order_by("number").values_list("action", flat=True))


def code_of(client, server_token, value):
    return client.post(
        "/api/v1/keys/verify", {"key": value}, "application/json", headers={"Authorization": f"Bearer {server_token}"}
    ).json()


def test_the_page_shows_members_their_second_factor_and_who_may_do_what(owner_client, company, owner):
    give_second_factor(owner)
    shown = owner_client.get(page("team", company))
    text = shown.content.decode()
    assert "colleague@example.com" in text and "Create keys" in text
    assert shown.context["with_factor"] == {owner.pk}
    assert page("invite", company) in text


def test_who_may_not_manage_members_sees_no_way_to_do_it(colleague_client, company, owner):
    text = colleague_client.get(page("team", company)).content.decode()
    assert page("invite", company) not in text
    assert page("member_remove", company, owner.pk) not in text
    assert page("leave", company) in text


def test_members_are_found_by_name_and_address(owner_client, company):
    found = owner_client.get(page("team", company), {"q": "colin"})
    assert [row["member"].user.email for row in found.context["rows"]] == ["colleague@example.com"]
    assert "No member like that" in owner_client.get(page("team", company), {"q": "nobody"}).content.decode()


def test_many_members_come_in_pages(owner_client, company):
    for number in range(60):
        factories.make_member(company, factories.make_user(f"Member {number:02}"), "viewer")
    first = owner_client.get(page("team", company)).content.decode()
    second = owner_client.get(page("team", company), {"page": 2}).content.decode()
    assert "Member 05" in first and "Member 59" not in first and "Member 59" in second


def test_a_role_is_changed_with_an_event_and_a_mail(owner_client, company, colleague):
    owner_client.post(page("member_role", company, colleague.pk), {"role": "admin"})
    assert role_of(company, colleague) == "admin"
    assert actions(company) == ["member:role_changed"]
    assert mail.outbox[-1].to == ["colleague@example.com"] and "Admin" in mail.outbox[-1].body


def test_making_an_owner_needs_a_recent_sign_in(owner_client, company, colleague):
    old_sign_in(owner_client)
    response = owner_client.post(page("member_role", company, colleague.pk), {"role": "owner"})
    assert response["Location"].startswith(reverse("account_reauthenticate"))
    assert role_of(company, colleague) == "developer"
    owner_client.post(page("member_role", company, colleague.pk), {"role": "viewer"})
    assert role_of(company, colleague) == "viewer"


def test_an_admin_neither_touches_owners_nor_makes_them(company, owner, colleague):
    services.change_role(membership=company.memberships.get(user=colleague), role="admin", actor=SYSTEM)
    third = factories.make_user("Thea Third")
    factories.make_member(company, third, "viewer")
    admin = signed_in(colleague)
    assert admin.post(page("member_role", company, owner.pk), {"role": "viewer"}).status_code == 403
    assert admin.post(page("member_remove", company, owner.pk)).status_code == 403
    assert admin.post(page("member_role", company, third.pk), {"role": "owner"}).status_code == 200  # no such choice
    assert role_of(company, third) == "viewer"
    assert admin.post(page("member_role", company, third.pk), {"role": "developer"}).status_code == 302


def test_nobody_changes_or_removes_themselves_here(owner_client, company, owner):
    assert owner_client.post(page("member_role", company, owner.pk), {"role": "viewer"}).status_code == 403
    assert owner_client.post(page("member_remove", company, owner.pk)).status_code == 403


def test_removing_a_member_asks_what_becomes_of_their_keys_and_revokes_them_unless_told_otherwise(
    owner_client, client, company, colleague, colleagues_key, server_token
):
    shown = owner_client.get(page("member_remove", company, colleague.pk))
    assert "1 key in use" in shown.content.decode()
    assert shown.context["form"]["keys"].value() == "revoke"
    assert "What should become of the key?" in shown.content.decode()
    assert "Revoke it now" in shown.content.decode() and "Revoke them now" not in shown.content.decode()
    owner_client.post(page("member_remove", company, colleague.pk), {"keys": "revoke"})
    assert not company.memberships.filter(user=colleague).exists()
    assert code_of(client, server_token, colleagues_key[1])["code"] == "REVOKED"
    assert mail.outbox[-1].to == ["colleague@example.com"]
    assert actions(company)[-2:] == ["member:removed", "key:revoked"]


def test_keys_handed_over_act_for_the_heir_from_then_on(
    owner_client, client, company, owner, colleague, colleagues_key, server_token
):
    key, value = colleagues_key
    assert code_of(client, server_token, value)["user"]["id"] == colleague.pk
    heir = company.memberships.get(user=owner)
    owner_client.post(page("member_remove", company, colleague.pk), {"keys": "hand_over", "heir": heir.pk})
    verdict = code_of(client, server_token, value)
    assert (verdict["code"], verdict["user"]["id"]) == ("VALID", owner.pk)
    assert actions(company)[-2:] == ["member:removed", "key:handed_over"]
    event = AuditEvent.objects.get(action="key:handed_over")
    assert (event.target_id, event.data) == (key.pk, {"from": colleague.pk, "to": owner.pk})
    assert any("may still hold their values" in message.body for message in mail.outbox)
    assert owner_client.get(page("keys:detail", company, key.pk)).status_code == 200


def test_handing_over_needs_an_heir_who_may_have_keys(owner_client, company, colleague, colleagues_key, stranger):
    viewer = factories.make_member(company, factories.make_user("Vera Viewer"), "viewer")
    elsewhere = factories.make_member(factories.make_company("Elsewhere", owner=stranger), colleague, "owner")
    for heir in ("", viewer.pk, elsewhere.pk, company.memberships.get(user=colleague).pk):
        form = {"keys": "hand_over", "heir": heir}
        assert owner_client.post(page("member_remove", company, colleague.pk), form).status_code == 200
    assert company.memberships.filter(user=colleague).exists()


def test_an_heir_of_another_company_is_refused_by_the_service_too(company, colleague, stranger, other_company):
    with pytest.raises(NoHeir):
        services.remove_member(
            membership=company.memberships.get(user=colleague), heir=other_company.memberships.get(), actor=SYSTEM
        )


def test_keys_of_sign_ins_by_password_and_dead_keys_are_not_handed_over(company, server, owner, colleague):
    mine, _ = factories.make_key(company, server, colleague)
    sign_in, _ = factories.make_key(company, server, colleague, login_client="growerp")
    expired, _ = factories.make_key(company, server, colleague)
    Key.objects.filter(pk=expired.pk).update(expires_at=timezone.now(), created_at=timezone.now())
    services.remove_member(
        membership=company.memberships.get(user=colleague), heir=company.memberships.get(user=owner), actor=SYSTEM
    )
    assert dict(Key.objects.values_list("pk", "user_id")) == {
        mine.pk: owner.pk, sign_in.pk: colleague.pk, expired.pk: colleague.pk,
    }  # fmt: skip
    assert Key.objects.get(pk=sign_in.pk).revoked_at


def test_a_removed_members_management_tokens_stay_dead_when_they_come_back(company, owner, colleague):
    _, token = create_token(
        company=company, user=colleague, name="CI", scopes=["keys:read"], expires_at=None, actor=SYSTEM
    )
    services.remove_member(membership=company.memberships.get(user=colleague), actor=SYSTEM)
    factories.make_member(company, colleague)
    with pytest.raises(TokenRefused):
        check_token(token.text)


def test_leaving_ends_ones_keys(colleague_client, client, company, colleague, colleagues_key, server_token):
    assert "1 key in use" in colleague_client.get(page("leave", company)).content.decode()
    assert colleague_client.post(page("leave", company))["Location"] == reverse("home")
    assert code_of(client, server_token, colleagues_key[1])["code"] == "REVOKED"
    assert colleague_client.get(page("team", company)).status_code == 404
    assert actions(company)[-2:] == ["member:left", "key:revoked"]


def test_the_last_owner_is_told_to_hand_over_first_and_cannot_leave(owner_client, company, owner):
    assert "You are its only owner" in owner_client.get(page("leave", company)).content.decode()
    response = owner_client.post(page("leave", company), follow=True)
    assert "A company needs an owner" in response.content.decode()
    assert company.memberships.filter(user=owner).exists()


def test_handing_the_company_over_swaps_the_roles(owner_client, company, owner, colleague):
    to = company.memberships.get(user=colleague)
    owner_client.post(page("transfer", company), {"to": to.pk})
    assert (role_of(company, owner), role_of(company, colleague)) == ("admin", "owner")
    assert actions(company) == ["company:transferred", "member:role_changed", "member:role_changed"]
    assert mail.outbox[-1].to == ["colleague@example.com"]
    assert owner_client.get(page("transfer", company)).status_code == 403


def test_handing_over_needs_a_recent_sign_in_an_owner_and_a_member(
    owner_client, company, owner, colleague, other_company
):
    foreign = other_company.memberships.get()
    assert owner_client.post(page("transfer", company), {"to": foreign.pk}).status_code == 200
    mine = company.memberships.get(user=colleague)
    with pytest.raises(NotAllowed):
        services.transfer_ownership(membership=mine, to=company.memberships.get(user=owner), actor=Actor.user(owner))
    old_sign_in(owner_client)
    response = owner_client.post(page("transfer", company), {"to": mine.pk})
    assert response["Location"].startswith(reverse("account_reauthenticate"))
    assert role_of(company, owner) == "owner"
