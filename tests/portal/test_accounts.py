"""Accounts: sign-up, confirming an address, signing in, passwords, sessions, and what is recorded of it."""

from __future__ import annotations

import re
import smtplib
import statistics
import time

import pytest
import time_machine
from django.contrib.auth import get_user
from django.core import mail
from django.test import Client, RequestFactory
from django.urls import reverse

from portal.accounts import mails
from portal.accounts.models import User
from portal.accounts.reauthentication import recent_sign_in_required
from portal.audit.models import AuditEvent
from portal.companies.models import Company, CompanyState
from portal.companies.roles import Role
from tests import factories
from tests.factories import PASSWORD

STRONG = "quiet lanterns drift over tin roofs"
CODE = re.compile(r"^[A-Z0-9]{3,8}-[A-Z0-9]{3,8}$", re.MULTILINE)


@pytest.fixture(autouse=True)
def _commits_at_once(monkeypatch):
    """A test's own transaction never commits; mails go out as if each of the portal's did."""
    monkeypatch.setattr("portal.accounts.adapter.on_commit", lambda act: act())


def filled(**changes):
    return {
        "company_name": "Analytical Engines",
        "currency": "EUR",
        "name": "Ada Example",
        "email": "ada@example.com",
        "password1": STRONG,
    } | changes


def sign_up(client, **changes):
    return client.post(reverse("account_signup"), filled(**changes))


def code_of(message):
    return CODE.search(message.body)[0]


def sign_in(client, email="owner@example.com", password=PASSWORD):
    return client.post(reverse("account_login"), {"login": email, "password": password})


def platform_actions():
    return list(AuditEvent.objects.filter(chain="platform").order_by("number").values_list("action", flat=True))


# --- Sign-up ------------------------------------------------------------------------------------------------------


def test_one_page_makes_the_person_and_the_company(client, db):
    response = sign_up(client)
    assert response["Location"] == reverse("account_email_verification_sent")
    user, company = User.objects.get(), Company.objects.get()
    assert (user.name, user.email) == ("Ada Example", "ada@example.com")
    assert (company.name, company.currency, company.state) == ("Analytical Engines", "EUR", CompanyState.PENDING)
    assert company.memberships.get(user=user).role == Role.OWNER
    assert platform_actions() == ["account:created"]
    assert AuditEvent.objects.filter(chain=company.pk, action="company:created").exists()
    assert not user.emailaddress_set.get().verified


def test_the_code_from_the_mail_leads_straight_to_the_card(client, db):
    sign_up(client)
    (message,) = mail.outbox
    page = client.get(reverse("account_email_verification_sent")).content.decode()
    assert "ada@example.com" in page and reverse("mailbox") in page
    response = client.post(reverse("account_email_verification_sent"), {"code": code_of(message)})
    assert response["Location"] == reverse("card", kwargs={"slug": "analytical-engines"})
    assert User.objects.get().emailaddress_set.get().verified
    assert "account:signed_in" in platform_actions()


def test_a_wrong_code_is_refused_and_after_three_the_code_is_dead(client, db):
    sign_up(client)
    good = code_of(mail.outbox[0])
    for _ in range(3):
        client.post(reverse("account_email_verification_sent"), {"code": "AAAA-AAAA"})
    client.post(reverse("account_email_verification_sent"), {"code": good})
    assert not User.objects.get().emailaddress_set.get().verified


def test_without_the_code_nobody_is_signed_in(client, db):
    sign_up(client)
    assert client.get(reverse("home")).status_code == 302
    sign_in(client, "ada@example.com", STRONG)
    assert not get_user(client).is_authenticated


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"password1": "short"}, "password1", "at least 10 characters"),
        ({"password1": "password123"}, "password1", "too common"),
        ({"password1": "ada.example1"}, "password1", "too similar"),
        ({"password1": "AdaExample12"}, "password1", "too similar"),
        ({"password1": "analyticalengines"}, "password1", "too similar to the company"),
        ({"email": "nonsense"}, "email", "valid email"),
        ({"company_name": "evil.com"}, "company_name", "web or e-mail"),
        ({"company_name": "Latchkey Security"}, "company_name", "name of this portal"),
        ({"name": "Ada\u202e"}, "name", "invisible"),
        ({"currency": "XXX"}, "currency", "valid choice"),
        ({"company_name": ""}, "company_name", "required"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_made(client, db, changes, field, says):
    response = sign_up(client, **changes)
    assert says in " ".join(response.context["form"].errors[field])
    assert not User.objects.exists() and not Company.objects.exists() and not mail.outbox


@pytest.mark.parametrize("password", ["correct horse battery", "ten-chars!", "aaaaaaaaab"])
def test_no_rules_of_composition(client, db, password):
    sign_up(client, password1=password)
    assert User.objects.exists()


def test_a_refused_sign_up_does_not_show_the_password_again(client, db):
    assert "password123" not in sign_up(client, password1="password123").content.decode()


def test_a_failure_half_way_leaves_nothing(client, db, monkeypatch):
    def fail(**kwargs):
        raise RuntimeError("half way")

    monkeypatch.setattr("portal.accounts.services.create_company", fail)
    with pytest.raises(RuntimeError):
        sign_up(client)
    assert not User.objects.exists() and not AuditEvent.objects.exists()


# --- Nobody learns who has an account -------------------------------------------------------------------------------


def test_a_known_address_gets_the_same_answer_and_a_mail_that_says_so(client, owner):
    known = sign_up(client, email="owner@example.com")
    unknown = sign_up(Client(), email="new@example.com")
    assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])
    assert Company.objects.count() == 1 and User.objects.count() == 2
    assert mail.outbox[0].to == ["owner@example.com"] and "has an account already" in mail.outbox[0].body
    assert not CODE.search(mail.outbox[0].body)


def test_the_page_after_a_known_address_looks_the_same(client, owner):
    sign_up(client, email="owner@example.com")
    other = Client()
    sign_up(other, email="nobody@example.com")
    pages = [
        re.sub(r'value="[A-Za-z0-9]{64}"', "", browser.get(reverse("account_email_verification_sent")).content.decode())
        .replace("owner@example.com", "X").replace("nobody@example.com", "X")
        .replace("owner%40example.com", "X").replace("nobody%40example.com", "X")
        for browser in (client, other)
    ]  # fmt: skip
    changing = re.compile(r"<details><summary>Use another address.*?</details>", re.DOTALL)
    assert changing.sub("", pages[0]) == changing.sub("", pages[1])


def test_a_wrong_password_and_an_unknown_account_read_the_same(client, owner):
    errors = [
        sign_in(client, email, "wrong wrong wrong").context["form"].errors.as_json()
        for email in ("owner@example.com", "nobody@example.com")
    ]
    assert errors[0] == errors[1]


def test_a_reset_reads_the_same_for_an_unknown_account(client, owner):
    answers = [
        client.post(reverse("account_reset_password"), {"email": email}) for email in (owner.email, "no@example.com")
    ]
    assert answers[0].status_code == answers[1].status_code == 302
    assert answers[0]["Location"] == answers[1]["Location"]
    assert [message.to for message in mail.outbox] == [["owner@example.com"], ["no@example.com"]]
    assert "no account with it" in mail.outbox[1].body


@pytest.mark.slow
def test_an_unknown_account_takes_as_long_as_a_wrong_password(client, owner, settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    settings.ACCOUNT_RATE_LIMITS = False
    owner.set_password(PASSWORD)
    owner.save()
    took = {}
    for email in ("owner@example.com", "nobody@example.com"):
        times = []
        for _ in range(2):
            began = time.process_time()
            sign_in(client, email, "wrong wrong wrong")
            times.append(time.process_time() - began)
        took[email] = statistics.median(times)
    assert 0.5 < took["nobody@example.com"] / took["owner@example.com"] < 2


def test_a_sign_up_with_a_known_address_costs_a_hash_too(client, owner, monkeypatch):
    hashed = []
    monkeypatch.setattr("portal.accounts.forms.make_password", lambda password: hashed.append(password) or "")
    sign_up(client, email=owner.email)
    assert hashed == [STRONG]


# --- Signing in -----------------------------------------------------------------------------------------------------


def test_signing_in_by_address_leads_home(client, owner, company):
    assert sign_in(client)["Location"] == reverse("home")
    assert platform_actions() == ["account:signed_in"]


def test_signing_in_leads_only_to_pages_of_the_portal(client, owner, company):
    address = f"{reverse('account_login')}?next=https://evil.example/"
    response = client.post(address, {"login": owner.email, "password": PASSWORD, "next": "https://evil.example/"})
    assert response["Location"] == reverse("home")


def test_signing_in_changes_the_session(client, owner, company):
    client.get(reverse("account_login"))
    session = client.session
    session["probe"] = 1
    session.save()
    before = session.session_key
    client.cookies["sessionid"] = before
    sign_in(client)
    assert client.session.session_key != before


def test_many_wrong_passwords_for_one_account_are_stopped_for_a_while(client, owner, company):
    with time_machine.travel("2026-11-22T12:00:00Z", tick=False) as clock:
        for place in range(6):
            sign_in(Client(REMOTE_ADDR=f"203.0.113.{place}"), password="wrong wrong wrong")
        late = sign_in(Client(REMOTE_ADDR="203.0.113.99"))
        assert late.status_code in {200, 429} and "sessionid" not in late.cookies
        clock.shift(301)
        assert sign_in(Client(REMOTE_ADDR="203.0.113.99")).status_code == 302


def test_many_attempts_from_one_address_are_stopped(db):
    client = Client(REMOTE_ADDR="203.0.113.7")
    answers = [sign_in(client, f"person{place}@example.com", "wrong wrong wrong") for place in range(40)]
    stopped = [answer for answer in answers if answer.status_code == 429]
    limited = [a for a in answers if a.status_code == 200 and "Too many" in a.content.decode()]
    assert stopped or limited


def test_signing_out_needs_a_post(owner_client):
    owner_client.get(reverse("account_logout"))
    assert get_user(owner_client).is_authenticated
    assert owner_client.post(reverse("account_logout"))["Location"] == reverse("landing")
    assert not get_user(owner_client).is_authenticated


def test_cookies_are_not_for_scripts_or_other_sites(client, owner, company, settings):
    cookie = sign_in(client).cookies[settings.SESSION_COOKIE_NAME]
    assert cookie["httponly"] and cookie["samesite"] == "Lax"


# --- Passwords and sessions -----------------------------------------------------------------------------------------


def link_of(message):
    return re.search(r"https?://[^/\s]+(/\S+)", message.body)[1]


def test_a_reset_sets_a_new_password_once_and_ends_other_sessions(client, owner, company):
    elsewhere = Client()
    sign_in(elsewhere)
    client.post(reverse("account_reset_password"), {"email": owner.email})
    link = link_of(mail.outbox[-1])
    page = client.get(link, follow=True)
    response = client.post(page.redirect_chain[-1][0], {"password1": STRONG, "password2": STRONG})
    assert response.status_code == 302
    assert "account:password_reset" in platform_actions()
    assert not get_user(elsewhere).is_authenticated
    assert "does not work any more" in Client().get(link, follow=True).content.decode()
    assert sign_in(Client(), password=STRONG).status_code == 302
    assert "was reset" in mail.outbox[-1].subject


def test_a_changed_password_ends_the_other_sessions_and_is_recorded(client, owner, company):
    elsewhere = Client()
    sign_in(elsewhere)
    sign_in(client)
    client.post(reverse("account_change_password"), {"oldpassword": PASSWORD, "password1": STRONG, "password2": STRONG})
    assert get_user(client).is_authenticated
    assert not get_user(elsewhere).is_authenticated
    assert "account:password_changed" in platform_actions()
    assert STRONG not in mail.outbox[-1].body


def test_other_sessions_can_be_ended(client, owner, company):
    elsewhere = Client()
    sign_in(elsewhere)
    elsewhere.get(reverse("account"))
    sign_in(client)
    assert "End all other sessions" in client.get(reverse("usersessions_list")).content.decode()
    client.post(reverse("usersessions_list"))
    assert not get_user(elsewhere).is_authenticated and get_user(client).is_authenticated
    assert "account:sessions_ended" in platform_actions()


def test_a_new_address_counts_once_it_is_confirmed(client, owner, company):
    sign_in(client)
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    client.post(reverse("account_email"), {"email": "olivia@example.com", "action_add": ""})
    owner.refresh_from_db()
    assert owner.email == "owner@example.com"
    client.post(reverse("account_email_verification_sent"), {"code": code_of(mail.outbox[-1])})
    owner.refresh_from_db()
    assert owner.email == "olivia@example.com"
    assert "account:email_changed" in platform_actions()
    assert mail.outbox[-1].to == ["owner@example.com"]


def test_the_account_page_changes_the_name(owner_client, owner):
    owner_client.post(reverse("account"), {"name": "Olivia New"})
    owner.refresh_from_db()
    assert owner.name == "Olivia New"
    response = owner_client.post(reverse("account"), {"name": "visit evil.com"})
    assert "web or e-mail" in response.content.decode()
    assert "account:name_changed" in platform_actions()


# --- A recent sign-in -------------------------------------------------------------------------------------------------


@pytest.fixture
def guarded(owner, company):
    """Asks the guarded view, in the session of a client."""

    def ask(client, method="get", data=None):
        request = getattr(RequestFactory(), method)("/c/acme/secret/?a=1", data)
        request.session, request.user = client.session, get_user(client)
        request._messages = type("Messages", (), {"add": lambda *args: None})()
        response = recent_sign_in_required(lambda request: Client().get("/healthz/live"))(request)
        return request, response

    return ask


def test_a_fresh_sign_in_counts(guarded, client):
    sign_in(client)
    assert guarded(client)[1].status_code == 200


def test_an_old_sign_in_is_confirmed_first_and_then_comes_back(guarded, client):
    with time_machine.travel("2026-11-22T12:00:00Z", tick=False) as clock:
        sign_in(client)
        clock.shift(601)
        _request, response = guarded(client)
        assert response["Location"] == f"{reverse('account_reauthenticate')}?next=%2Fc%2Facme%2Fsecret%2F%3Fa%3D1"
        client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
        assert guarded(client)[1].status_code == 200


def test_what_a_form_sent_is_not_kept(guarded, client):
    with time_machine.travel("2026-11-22T12:00:00Z", tick=False) as clock:
        sign_in(client)
        clock.shift(601)
        request, response = guarded(client, "post", {"number": "4242424242424242"})
        assert response.status_code == 302
        assert "4242" not in str(dict(request.session.items()))


def test_another_sessions_sign_in_proves_nothing(guarded, client):
    with time_machine.travel("2026-11-22T12:00:00Z", tick=False) as clock:
        sign_in(client)
        clock.shift(601)
        sign_in(Client())
        assert guarded(client)[1].status_code == 302


# --- Mails ------------------------------------------------------------------------------------------------------------


def test_a_mails_html_says_what_its_text_says(client, db):
    sign_up(client, company_name="<i>Sly</i>")
    message = mail.outbox[0]
    html, kind = message.alternatives[0]
    assert kind == "text/html"
    assert code_of(message) in html
    assert "http" not in re.sub(r"<!doctype.*?<body", "", html, flags=re.DOTALL)


def test_the_markup_of_a_mail_escapes_what_people_wrote():
    assert "<script>" not in mails.html("Subject", "Hello <script>alert(1)</script>\n")


def test_paragraphs_that_are_only_an_address_or_a_code_stand_out():
    kinds = [block.kind for block in mails.blocks("Hello,\n\nABCD-1234\n\nhttps://example.com/x\n\n- one\n- two\n")]
    assert kinds == ["text", "code", "link", "list"]


def test_a_mail_server_that_is_away_breaks_no_sign_up(client, db, monkeypatch):
    def fail(self, *args, **kwargs):
        raise smtplib.SMTPServerDisconnected("gone")

    monkeypatch.setattr("django.core.mail.message.EmailMessage.send", fail)
    assert sign_up(client).status_code == 302
    page = client.get(reverse("account_email_verification_sent")).content.decode()
    assert "could not be sent just now" in page and "Send another code" in page


# --- Every page -------------------------------------------------------------------------------------------------------

ANONYMOUS = ["account_login", "account_signup", "account_reset_password", "account_reset_password_done"]
SIGNED_IN = [
    "account", "account_email", "account_change_password", "account_logout", "account_reauthenticate", "mfa_index",
    "mfa_activate_totp", "usersessions_list", "new_company",
]  # fmt: skip


@pytest.mark.parametrize("name", ANONYMOUS)
def test_pages_of_strangers_are_ours_and_have_no_inline_code(client, db, name):
    check_page(client.get(reverse(name)))


@pytest.mark.parametrize("name", SIGNED_IN)
def test_pages_of_an_account_are_ours_and_have_no_inline_code(client, owner, company, name):
    sign_in(client)
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    check_page(client.get(reverse(name)))


def check_page(response):
    page = response.content.decode()
    assert response.status_code == 200
    assert 'lang="en"' in page and "<main" in page and page.count("<h1") == 1 and "latchkey.css" in page
    assert not re.search(r"<[^>]+\s(style|on[a-z]+)=", page)
    assert not re.search(r"<script(?![^>]*(src=|application/json))", page)


def test_recovery_codes_work_once(client, owner, company):
    from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
    from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret

    TOTP.activate(owner, generate_totp_secret())
    code = RecoveryCodes.activate(owner).get_unused_codes()[0]
    for browser, enters in ((client, True), (Client(), False)):
        assert sign_in(browser)["Location"].startswith(reverse("mfa_authenticate"))
        browser.post(reverse("mfa_authenticate"), {"code": code})
        assert get_user(browser).is_authenticated is enters


def test_a_second_factor_is_recorded(client, owner, company):
    from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time

    sign_in(client)
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    client.get(reverse("mfa_activate_totp"))
    secret = client.session["mfa.totp.secret"]
    code = format_hotp_value(hotp_value(secret, next(yield_hotp_counters_from_time())))
    response = client.post(reverse("mfa_activate_totp"), {"code": code})
    assert response.status_code == 302
    assert "account:factor_added" in platform_actions()


def test_a_closed_account_cannot_sign_in(client, db):
    user = factories.make_user(is_active=False)
    sign_in(client, user.email)
    assert not get_user(client).is_authenticated
