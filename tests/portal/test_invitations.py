"""Invitations: sent by mail, good for one address and seven days, accepted once."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import time_machine
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from portal.accounts.models import User
from portal.audit.actors import Actor
from portal.audit.models import AuditEvent
from portal.companies import invitations, services
from portal.companies.errors import InvitationRefused, NotAllowed, TooManyInvitations, WrongState
from portal.companies.models import Company, Invitation, Membership
from portal.logs import redact
from tests import factories
from tests.portal.inviting import last_link

pytestmark = pytest.mark.django_db
NEW = "new@example.com"


@pytest.fixture(autouse=True)
def _commits(monkeypatch):
    """Mails go out when the transaction commits; here at once."""
    for module in ("portal.companies.mails", "portal.accounts.adapter"):
        monkeypatch.setattr(f"{module}.on_commit", lambda act: act())


def page(name, company, *args):
    return reverse(name, args=[company.slug, *args])


def invite(client, company, email=NEW, role="developer"):
    return client.post(page("invite", company), {"email": email, "role": role})


def invited(company, owner, email=NEW, role="developer"):
    return invitations.invite(company=company, email=email, role=role, inviter=owner, actor=Actor.user(owner))


def old_sign_in(client):
    session = client.session
    session["signed_in_at"] = 0
    session["account_authentication_methods"] = []
    session.save()


def signed_in(user):
    client = Client()
    client.force_login(user)
    return client


def actions(company):
    return list(AuditEvent.objects.filter(chain=company.pk).order_by("number").values_list("action", flat=True))


def test_an_invited_person_signs_up_without_a_company_and_joins(owner_client, company, client):
    assert invite(owner_client, company)["Location"] == page("team", company)
    message = mail.outbox[-1]
    assert message.to == [NEW] and company.name in message.subject and "Olivia Owner" in message.body
    assert client.get(last_link(NEW))["Location"] == reverse("invitation")
    assert "Create an account" in client.get(reverse("invitation")).content.decode()

    form = client.get(reverse("account_signup"))
    assert "company_name" not in form.context["form"].fields
    client.post(reverse("account_signup"), {"name": "Nina New", "email": "other@example.com",
                                            "password1": "three green umbrellas dance"})  # fmt: skip
    user = User.objects.get(name="Nina New")
    assert user.email == NEW  # the invited address, whatever was sent
    assert not user.companies.exists()
    code = re.search(r"^([A-Z0-9]{3,5}-?[A-Z0-9]{3,5})$", str(mail.outbox[-1].body), re.M)
    assert code
    response = client.post(reverse("account_email_verification_sent"), {"code": code[1]}, follow=True)
    assert response.redirect_chain[-1][0] == reverse("invitation")
    assert client.post(reverse("invitation_accept"))["Location"] == page("company", company)
    assert company.memberships.get(user=user).role == "developer"
    assert actions(company) == ["member:invited", "member:joined"]
    assert "accepted your invitation" in mail.outbox[-1].body and mail.outbox[-1].to == ["owner@example.com"]
    assert client.get(page("company", company)).status_code == 200


def test_somebody_with_an_account_signs_in_and_joins(owner_client, company, client):
    person = factories.make_user("Paula Person", "Paula@Example.com")
    invite(owner_client, company, "PAULA@example.com", "viewer")
    client.get(last_link("paula@example.com"))
    shown = client.get(reverse("invitation")).content.decode()
    assert f"{reverse('account_login')}?next=/invitation/" in shown
    client.post(reverse("account_login"), {"login": "paula@example.com", "password": factories.PASSWORD})
    client.post(reverse("invitation_accept"))
    assert company.memberships.get(user=person).role == "viewer"


def test_who_is_signed_in_with_another_address_is_told_so_and_does_not_join(owner_client, company, stranger_client):
    invite(owner_client, company)
    stranger_client.get(last_link(NEW))
    shown = stranger_client.get(reverse("invitation")).content.decode()
    assert "This invitation is for new@example.com, and you are signed in as stranger@example.com." in shown
    assert stranger_client.post(reverse("invitation_accept"))["Location"] == reverse("invitation")
    assert company.memberships.count() == 2
    assert stranger_client.get(reverse("home"))["Location"] != reverse("invitation")


def test_an_unconfirmed_address_does_not_join(owner, company):
    invitation = invited(company, owner)
    person = factories.make_user("Una", NEW)
    person.emailaddress_set.update(verified=False)
    with pytest.raises(InvitationRefused, match="signed in as"):
        invitations.accept(invitation=invitation, user=person, actor=Actor.user(person))


def test_only_a_hash_of_the_token_is_stored_and_neither_the_record_nor_the_page_shows_it(owner_client, company):
    invite(owner_client, company)
    token = last_link(NEW).strip("/").split("/")[-1]
    assert len(token) >= 43
    invitation = Invitation.objects.get()
    stored = " ".join(str(value) for value in Invitation.objects.values_list().get())
    told = " ".join(str(values) for values in AuditEvent.objects.values_list())
    assert token not in stored + told + owner_client.get(page("team", company)).content.decode()
    assert invitation.digest == Invitation.digest_of(token)


def test_the_token_is_in_no_address_after_the_first_and_in_no_log(owner_client, company, client, caplog):
    invite(owner_client, company)
    link = last_link(NEW)
    with caplog.at_level("DEBUG"):
        response = client.get(link, follow=True)
    token = link.strip("/").split("/")[-1]
    assert response.redirect_chain == [(reverse("invitation"), 302)]
    assert token not in response.content.decode()
    assert token not in str(dict(client.session))
    assert token not in caplog.text
    assert "no-store" in client.get(link)["Cache-Control"]
    assert redact(f"Not Found: {link}") == "Not Found: /invitation/[token]/"


@pytest.mark.parametrize("token", ["x", "A" * 43, "../x", "%00"])
def test_a_wrong_link_leads_to_no_invitation(client, db, token):
    response = client.get(f"/invitation/{token}/")
    assert response.status_code == 404


def test_it_expires_after_seven_days_and_can_be_sent_again(owner_client, owner, company, client):
    invitation = invited(company, owner)
    first = last_link(NEW)
    with time_machine.travel(timezone.now() + timedelta(days=7, minutes=1), tick=False):
        client.get(first)
        assert "has expired" in client.get(reverse("invitation")).content.decode()
        owner_client.force_login(owner)
        owner_client.post(page("invitation_resend", company, invitation.pk))
        second = last_link(NEW)
        assert second != first
        assert client.get(first).status_code == 404  # only the newest link works
        client.get(second)
        assert "has expired" not in client.get(reverse("invitation")).content.decode()
    assert actions(company) == ["member:invited", "member:invitation_resent"]


def test_a_withdrawn_invitation_is_refused(owner_client, owner, company, client):
    invitation = invited(company, owner)
    client.get(last_link(NEW))
    owner_client.post(page("invitation_withdraw", company, invitation.pk))
    assert "was withdrawn" in client.get(reverse("invitation")).content.decode()
    person = factories.make_user("Nina", NEW)
    with pytest.raises(InvitationRefused):
        invitations.accept(invitation=invitation, user=person, actor=Actor.user(person))
    invited(company, owner)  # the address can be invited anew


def test_accepting_twice_makes_one_membership_and_one_event(owner, company):
    invitation, person = invited(company, owner), factories.make_user("Nina", NEW)
    first = invitations.accept(invitation=invitation, user=person, actor=Actor.user(person))
    again = invitations.accept(invitation=invitation, user=person, actor=Actor.user(person))
    assert first == again
    assert actions(company).count("member:joined") == 1


def test_a_used_invitation_does_not_bring_a_removed_member_back(owner, company):
    invitation, person = invited(company, owner), factories.make_user("Nina", NEW)
    membership = invitations.accept(invitation=invitation, user=person, actor=Actor.user(person))
    services.remove_member(membership=membership, actor=Actor.user(owner))
    with pytest.raises(InvitationRefused, match="used already"):
        invitations.accept(invitation=invitation, user=person, actor=Actor.user(person))


def test_an_invitation_dies_with_the_rights_of_its_sender(owner, company, colleague):
    services.change_role(membership=company.memberships.get(user=colleague), role="admin", actor=Actor.user(owner))
    invitation = invited(company, colleague)
    services.change_role(membership=company.memberships.get(user=colleague), role="viewer", actor=Actor.user(owner))
    person = factories.make_user("Nina", NEW)
    with pytest.raises(InvitationRefused, match="may not invite any more"):
        invitations.accept(invitation=invitation, user=person, actor=Actor.user(person))


def test_a_closed_company_is_not_joined(owner, company):
    invitation, person = invited(company, owner), factories.make_user("Nina", NEW)
    services.close_company(company=company, actor=Actor.user(owner))
    with pytest.raises(InvitationRefused, match="closed"):
        invitations.accept(invitation=invitation, user=person, actor=Actor.user(person))


def test_a_pending_company_invites_nobody(owner):
    pending = factories.make_company("Pending", "pending", owner=owner)
    with pytest.raises(WrongState):
        invited(pending, owner)
    assert not mail.outbox


def test_only_owners_invite_owners_and_only_after_a_recent_sign_in(owner_client, owner, company, colleague):
    services.change_role(membership=company.memberships.get(user=colleague), role="admin", actor=Actor.user(owner))
    admin = signed_in(colleague)
    assert "owner" not in dict(admin.get(page("invite", company)).context["form"].fields["role"].choices)
    assert invite(admin, company, role="owner").status_code == 200
    with pytest.raises(NotAllowed):
        invited(company, colleague, role="owner")
    old_sign_in(owner_client)
    assert invite(owner_client, company, role="owner")["Location"].startswith(reverse("account_reauthenticate"))
    assert not Invitation.objects.exists()
    assert invite(owner_client, company, role="admin").status_code == 302  # needs none
    waiting = Invitation.objects.get()
    Invitation.objects.filter(pk=waiting.pk).update(role="owner", sent_at=timezone.now() - timedelta(hours=1))
    resent = owner_client.post(page("invitation_resend", company, waiting.pk))
    assert resent["Location"].startswith(f"{reverse('account_reauthenticate')}?next=")
    assert signed_in(colleague).post(page("invitation_resend", company, waiting.pk)).status_code == 302
    waiting.refresh_from_db()
    assert waiting.sent_at < timezone.now() - timedelta(minutes=30)


def test_nobody_is_invited_twice_or_as_a_member(owner_client, company):
    invite(owner_client, company)
    assert "invited already" in invite(owner_client, company).content.decode()
    assert "a member already" in invite(owner_client, company, "COLLEAGUE@example.com").content.decode()
    assert len(mail.outbox) == 1


def test_an_expired_invitation_is_replaced_by_a_new_one(owner, company):
    invited(company, owner)
    with time_machine.travel(timezone.now() + timedelta(days=8), tick=False):
        invited(company, owner)
    assert Invitation.objects.count() == 2
    assert Invitation.objects.filter(withdrawn_at=None).count() == 1


def test_a_company_sends_a_limited_number_of_mails_and_has_a_limited_number_open(owner, company, monkeypatch):
    monkeypatch.setattr(invitations, "MOST_MAILS", 3)
    for number in range(3):
        invited(company, owner, f"p{number}@example.com")
    with pytest.raises(TooManyInvitations, match="within an hour"):
        invited(company, owner, "p9@example.com")
    monkeypatch.setattr(invitations, "MOST_MAILS", 100)
    monkeypatch.setattr(invitations, "MOST_WAITING", 3)
    with pytest.raises(TooManyInvitations, match="Too many"):
        invited(company, owner, "p9@example.com")


def test_a_mail_is_not_sent_again_within_a_minute(owner_client, owner, company):
    invitation = invited(company, owner)
    response = owner_client.post(page("invitation_resend", company, invitation.pk), follow=True)
    assert "less than a minute ago" in response.content.decode()
    assert len(mail.outbox) == 1


def test_a_mail_that_cannot_be_sent_breaks_nothing(owner_client, company, monkeypatch, caplog):
    monkeypatch.setattr("django.core.mail.EmailMultiAlternatives.send", lambda *_: (_ for _ in ()).throw(OSError("x")))
    assert invite(owner_client, company).status_code == 302
    assert Invitation.objects.exists()
    assert "could not be sent" in caplog.text


def test_another_companys_invitation_does_not_exist(owner, company, stranger_client, other_company):
    invitation = invited(company, owner)
    for name in ("invitation_resend", "invitation_withdraw"):
        assert stranger_client.post(page(name, other_company, invitation.pk)).status_code == 404
    invitation.refresh_from_db()
    assert invitation.withdrawn_at is None


def test_the_known_address_of_somebody_elses_account_makes_no_second_account(owner_client, company, client):
    factories.make_user("Paula", NEW)
    invite(owner_client, company)
    client.get(last_link(NEW))
    client.post(reverse("account_signup"), {"name": "Evil", "password1": "three green umbrellas dance"})
    assert User.objects.filter(email=NEW).count() == 1
    assert not Membership.objects.filter(user__email=NEW).exists()


def test_a_sign_up_without_an_invitation_still_makes_a_company(client, db):
    form = {"name": "Ada", "email": "ada@example.com", "password1": "three green umbrellas dance",
            "company_name": "Engines", "currency": "EUR"}  # fmt: skip
    client.post(reverse("account_signup"), form)
    assert Company.objects.get(name="Engines").memberships.get().user.name == "Ada"


def test_somebody_new_is_invited_in_the_language_of_who_invites(owner_client, company):
    owner_client.defaults["HTTP_ACCEPT_LANGUAGE"] = "de"
    invite(owner_client, company)
    message = mail.outbox[-1]
    assert message.to == [NEW] and '<html lang="de">' in message.alternatives[0][0]
    assert "Entwickler" in message.body and re.search(r"bis \d+\. \w+ \d{4}, ", message.body)
