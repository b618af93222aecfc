"""One box takes anything: tokens of every kind, parts of them, people, addresses, request ids."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from keys import tokens
from keys.management_tokens.services import create_token
from keys.oauth.models import Approval, Connection
from keys.usage.models import Sighting
from portal.audit.actors import Actor
from portal.audit.models import AuditEvent
from portal.incidents.services import open_incident
from tests import factories

pytestmark = pytest.mark.django_db

FIND = "/staff/find/"


def find(client, pasted: str):
    return client.post(FIND, {"key": pasted})


def text(response) -> str:
    return response.content.decode()


def sight(identifier, company, address):
    now = timezone.now()
    Sighting.objects.create(key_id=identifier, company_id=company.pk, address=address, client="curl", code="VALID",
                            first_at=now, last_at=now, count=1)  # fmt: skip


@pytest.fixture
def connection(company, server, owner):
    return Connection.objects.create(company=company, server=server, user=owner, client_name="Gemini CLI",
                                     scopes=["tools:*"])  # fmt: skip


@pytest.fixture
def management(company, owner):
    return create_token(
        company=company, user=owner, name="CI", scopes=["keys:read"], expires_at=None, actor=Actor.user(owner)
    )


def test_a_pasted_management_token_opens_its_page_and_is_revoked(staff_client, management, company):
    token, value = management
    address = find(staff_client, value.text)["Location"]
    assert address == reverse("staff:token", args=[token.pk])
    shown = text(staff_client.get(address))
    assert "keys:read" in shown and value.text.split("_")[3] not in shown
    assert AuditEvent.objects.filter(chain=company.pk, action="token:viewed_by_staff").exists()
    staff_client.post(reverse("staff:token_revoke", args=[token.pk]), {"why": "Leaked"})
    token.refresh_from_db()
    assert token.revoked_at
    assert AuditEvent.objects.get(action="token:revoked").actor_kind == "staff"
    changed = value.text[:-1] + ("a" if value.text[-1] != "a" else "b")
    assert "cut or mistyped" in text(find(staff_client, changed))


def test_tokens_of_a_connection_open_its_page(staff_client, connection, owner, company):
    from datetime import timedelta
    from uuid import uuid4

    from oauth2_provider.models import get_access_token_model, get_application_model, get_refresh_token_model

    access, refresh = tokens.generate(tokens.Kind.ACCESS), tokens.generate(tokens.Kind.REFRESH)
    application = get_application_model().objects.create(name="x", client_type="public",
                                                         authorization_grant_type="authorization-code")  # fmt: skip
    row = get_access_token_model().objects.create(user=owner, token=access.text, application=application,
                                                  expires=timezone.now() + timedelta(hours=1))  # fmt: skip
    pepper_id, pepper = next(iter(settings.PEPPERS.items()))
    connection.values.create(id=access.id, access_token=row, digest=tokens.digest(access.text, pepper),
                             pepper=pepper_id, expires_at=row.expires)  # fmt: skip
    family = uuid4()
    get_refresh_token_model().objects.create(user=owner, token=refresh.text, application=application,
                                             access_token=row, token_family=family)  # fmt: skip
    Approval.objects.create(connection=connection, code_digest="0" * 64, token_family=family)
    page = reverse("staff:connection", args=[connection.pk])
    assert find(staff_client, access.text)["Location"] == page
    assert find(staff_client, refresh.text)["Location"] == page
    assert find(staff_client, f"lk_oat_{access.id}")["Location"] == page
    assert "Gemini CLI" in text(staff_client.get(page))
    assert AuditEvent.objects.filter(chain=company.pk, action="connection:viewed_by_staff").count() == 1
    assert find(staff_client, tokens.generate(tokens.Kind.REFRESH).text).status_code == 404


def test_every_id_leads_to_its_page(staff_client, staff, company, key, server, owner, connection, management):
    incident = open_incident(title="Leak", actor=Actor.staff(staff))
    for name, row in (("staff:key", key), ("staff:company", company), ("staff:server", server), ("staff:person", owner),
                      ("staff:connection", connection), ("staff:token", management[0]),
                      ("incidents:incident", incident)):  # fmt: skip
        assert find(staff_client, row.pk)["Location"] == reverse(name, args=[row.pk])


def test_words_find_people_companies_servers_keys_and_incidents(staff_client, staff, company, key, owner, connection):
    open_incident(title="Acme leak", actor=Actor.staff(staff))
    found = find(staff_client, "acme").context["found"]
    assert [row.name for row in found.companies] == ["Acme"] and [row.title for row in found.incidents] == ["Acme leak"]
    assert find(staff_client, "owner@").context["found"].people == [owner]
    response = find(staff_client, owner.email.upper())
    assert response.context["found"].people == [owner] and response.context["found"].keys == [key]
    assert response.context["found"].connections == [connection]
    assert [row.pk for row in find(staff_client, "gemini").context["found"].connections] == [connection.pk]
    assert "Nothing was found" in text(find(staff_client, "nothing like it"))


def test_an_address_finds_what_was_used_from_it(staff_client, company, key, connection):
    sight(key.pk, company, "203.0.113.9")
    sight(connection.pk, company, "203.0.113.9")
    response = find(staff_client, " 203.0.113.9 ")
    assert response.context["found"].keys == [key] and response.context["found"].connections == [connection]
    assert f"{reverse('staff:revoke_rule')}?address=203.0.113.9" in text(response)


def test_a_request_id_finds_what_was_done_in_it(staff_client, company, key):
    staff_client.post(
        reverse("staff:key_revoke", args=[key.pk]), {"why": "Leaked"}, headers={"X-Request-Id": "request-0815"}
    )
    assert "revoked the key" in text(find(staff_client, "request-0815"))


def test_the_page_of_a_key_tells_its_whole_story(staff_client, company, key, owner, colleague, server):
    from datetime import timedelta

    from keys.services import rotate_key

    new = rotate_key(key=key, overlap=timedelta(hours=1), actor=Actor.user(owner))[0]
    newest = rotate_key(key=new, overlap=timedelta(hours=1), actor=Actor.user(owner))[0]
    theirs = factories.make_key(company, server, colleague, name="Colleague's")[0]
    sight(new.pk, company, "203.0.113.9")
    response = staff_client.get(reverse("staff:key", args=[new.pk]))
    assert [value.pk for value in response.context["values"]] == [key.pk, new.pk, newest.pk]
    shown = text(response)
    for words in (owner.email, "203.0.113.9", "curl", key.hint, newest.hint, theirs.hint, "rotated the key"):
        assert words in shown


def test_nothing_pasted_stands_in_an_address(staff_client, owner, key_token):
    assert "Location" not in find(staff_client, owner.email).headers
    assert key_token not in find(staff_client, key_token)["Location"]
