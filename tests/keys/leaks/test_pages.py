"""The pages of leaks, for a company and for staff."""

from __future__ import annotations

import pytest
from django.core import mail
from django.utils import timezone

from keys.leaks.models import Leak
from tests import factories
from tests.keys.leaks.driving import PLACE, committed, hit, report

pytestmark = pytest.mark.django_db


def test_the_company_sets_its_rule_and_sees_what_leaked(owner_client, company, github_key, key_token):
    report(github_key, [hit(key_token)])
    address = f"/c/{company.slug}/settings/leaks/"
    page = owner_client.get(address).content.decode()
    assert "Owner&#x27;s key" in page
    assert PLACE in page
    assert owner_client.post(address, {"rule": "tell"}).status_code == 302
    assert company.leak_settings.rule == "tell"


def test_developers_do_not_set_the_rule(colleague_client, company):
    assert colleague_client.post(f"/c/{company.slug}/settings/leaks/", {"rule": "tell"}).status_code == 403


def test_staff_find_leaks_and_a_pasted_token_leaves_the_address(staff_client, github_key, key, key_token):
    report(github_key, [hit(key_token)])
    assert key.name.replace("'", "&#x27;") in staff_client.get("/staff/leaks/").content.decode()
    for query, number in [
        ({"q": key.pk}, 1), ({"kind": "token"}, 0), ({"source": "github", "outcome": "revoked"}, 1),
        ({"q": "nothing"}, 0), ({"kind": "nonsense"}, 1),
    ]:  # fmt: skip
        assert len(staff_client.get("/staff/leaks/", query).context["page"].rows) == number
    response = staff_client.get("/staff/leaks/", {"q": key_token})
    assert response.status_code == 302
    assert key_token[21:] not in response["Location"]


def test_a_credential_of_the_operators_own_server_is_revoked_and_staff_are_told(
    github_key, server, staff, django_capture_on_commit_callbacks
):
    credential, token = factories.make_credential(server)
    committed(django_capture_on_commit_callbacks, lambda: report(github_key, [hit(token.text)]))
    credential.refresh_from_db()
    assert credential.state == "revoked"
    assert [message.to for message in mail.outbox] == [[staff.email]]
    assert Leak.objects.get().company is None


def test_the_page_costs_few_queries(staff_client, company, django_assert_max_num_queries):
    Leak.objects.bulk_create(
        [
            Leak(company=company, kind="key", subject_id=f"{n:012}", subject_name="x", hint="h", source="github",
                 outcome="revoked", reported_at=timezone.now())
            for n in range(120)
        ]
    )  # fmt: skip
    with django_assert_max_num_queries(10):
        staff_client.get("/staff/leaks/")
