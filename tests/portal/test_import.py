"""Companies and users of GrowERP come over: checked, once, without passwords; what is wrong is named by row."""

from __future__ import annotations

import json
import re
from io import StringIO

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client

from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.audit.services import verify_chain
from portal.companies.models import Company, Membership
from tests import factories

pytestmark = pytest.mark.django_db

CSV = """company,currency,email,first_name,last_name,role
Tulip Traders,EUR,anna@tulip.example,Anna,Vries,owner
Tulip Traders,EUR,bob@tulip.example,Bob,Vries,employee
"Baker, Son & Co",usd,carl@baker.example,Carl,Baker,
"""


def run(path, *options):
    out, err = StringIO(), StringIO()
    code = 0
    try:
        call_command("import_growerp", str(path), *options, stdout=out, stderr=err)
    except SystemExit as error:
        code = error.code
    return code, out.getvalue(), err.getvalue()


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "companies.csv"
    path.write_text(CSV)
    return path


def test_companies_users_and_roles_are_made_and_people_are_mailed(file):
    code, out, err = run(file)
    assert (code, err) == (0, "")
    assert "Made 2 companies, 3 users and 3 memberships; 0 were there already." in out
    tulip = Company.objects.get(name="Tulip Traders")
    assert (tulip.currency, tulip.state) == ("EUR", "pending")
    roles = dict(Membership.objects.values_list("user__email", "role"))
    assert roles == {"anna@tulip.example": "owner", "bob@tulip.example": "developer", "carl@baker.example": "owner"}
    anna = User.objects.get(email="anna@tulip.example")
    assert anna.name == "Anna Vries"
    assert not anna.has_usable_password()
    assert sorted(message.to[0] for message in mail.outbox) == sorted(roles)
    assert "/accounts/password/reset/" in mail.outbox[0].body
    assert set(AuditEvent.objects.filter(chain=tulip.pk).values_list("action", flat=True)) == {
        "company:created", "member:added"
    }  # fmt: skip
    assert verify_chain(tulip.pk).intact


def test_an_imported_person_sets_a_password_and_signs_in(file, django_capture_on_commit_callbacks):
    run(file)
    mail.outbox.clear()
    client = Client()
    with django_capture_on_commit_callbacks(execute=True):
        client.post("/accounts/password/reset/", {"email": "anna@tulip.example"})
    link = re.search(r"https?://[^/]+(/accounts/password/reset/key/\S+)", mail.outbox[-1].body)
    assert link
    page = client.get(link[1], follow=True)
    address = page.redirect_chain[-1][0]
    client.post(address, {"password1": factories.PASSWORD, "password2": factories.PASSWORD})
    client = Client()
    client.post("/accounts/login/", {"login": "anna@tulip.example", "password": factories.PASSWORD})
    assert User.objects.get(email="anna@tulip.example").has_usable_password()
    page = client.get("/account/", follow=True)
    signed_in = "_auth_user_id" in client.session
    asked_for_code = any("confirm-email" in address for address, _ in page.redirect_chain) or "Code" in str(
        page.content
    )
    assert signed_in or asked_for_code


def test_doing_it_again_changes_nothing(file):
    run(file)
    mail.outbox.clear()
    _code, out, _err = run(file)
    assert "Made 0 companies, 0 users and 0 memberships; 3 were there already." in out
    assert mail.outbox == []
    assert Company.objects.count() == 2


def test_a_dry_run_tells_and_does_nothing(file):
    _code, out, _err = run(file, "--dry-run")
    assert "Would make 2 companies, 3 users and 3 memberships" in out
    assert (Company.objects.count(), User.objects.count(), len(mail.outbox)) == (0, 0, 0)
    assert not AuditEvent.objects.exists()


def test_wrong_rows_are_named_and_the_others_are_done(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(
        "Company,Email,Name,Role,Currency\n"
        "Good,good@example.org,Good Person,,\n"
        "Good,nonsense,Bad,,\n"
        ",x@example.org,X,,\n"
        "Evil https://evil.example,y@example.org,Y,,\n"
        "Coins,z@example.org,Z,,XAU\n"
        "Roles,r@example.org,R,king,\n"
        "Headless,h@example.org,H,viewer,\n"
        "Hidden,k@example.org,Ada\u202eecila,,\n"
    )
    code, out, err = run(path)
    assert code == 1
    assert "Made 1 companies" in out
    assert re.findall(r"^row (\d)", err, re.M) == ["2", "3", "4", "5", "6", "7", "8"]
    for words in ("no e-mail address", "no name", "web or e-mail address", "XAU is no currency", "king is no role",
                  "has no owner", "invisible character"):  # fmt: skip
        assert words in err


def test_json_in_growerps_form_is_read(tmp_path):
    path = tmp_path / "x.json"
    path.write_text(
        json.dumps({"companies": [{
            "partyId": "100001", "name": "Tulip Traders", "currency": {"currencyId": "EUR", "description": "Euro"},
            "employees": [{"email": "A@tulip.example", "firstName": "Anna", "lastName": "Vries",
                           "userGroup": "GROWERP_M_ADMIN"}],
        }]})
    )  # fmt: skip
    assert "Made 1 companies, 1 users" in run(path)[1]
    assert Membership.objects.get().user.email == "a@tulip.example"


@pytest.mark.parametrize("name", ["x.json", "x.csv"])
@pytest.mark.parametrize("text", ["", "[[[", '{"companies": 3}', "a,b\n1,2\n", 'company,email\n"x', "\x00"])
def test_a_file_that_is_none_is_refused_in_words(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    try:
        code, _out, err = run(path)
    except CommandError as error:
        assert str(error)
    else:
        assert code == 1
        assert err
    assert not User.objects.exists()


def test_somebody_who_has_an_account_keeps_it_and_joins(file, stranger):
    User.objects.filter(pk=stranger.pk).update(email="bob@tulip.example")
    _code, out, _err = run(file)
    assert "2 users and 3 memberships" in out
    stranger.refresh_from_db()
    assert (stranger.name, stranger.has_usable_password()) == ("Stella Stranger", True)
    (message,) = [one for one in mail.outbox if one.to == ["bob@tulip.example"]]
    assert "Sign in as usual" in message.body


def test_another_company_of_the_same_name_is_left_alone(file, stranger):
    factories.make_company("Tulip Traders", owner=stranger)
    run(file)
    assert Company.objects.filter(name="Tulip Traders").count() == 2
    assert stranger.memberships.get().company.memberships.count() == 1
