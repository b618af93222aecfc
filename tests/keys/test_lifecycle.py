"""The life of a key: what may happen to it, and the audit event that each act leaves."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from keys import errors, feed, selectors, services, tokens
from keys.models import CredentialState, FeedEvent, Key
from keys.servers import services as servers
from keys.webhooks.endpoints import create_endpoint
from keys.webhooks.models import Event
from portal.audit.actors import SYSTEM, Actor
from portal.audit.models import AuditEvent
from portal.audit.services import verify_chain
from portal.companies.models import Company, CompanyState, Membership
from portal.companies.roles import Role
from tests import factories

pytestmark = pytest.mark.django_db


def actions(company):
    return list(AuditEvent.objects.filter(chain=company.pk).order_by("number").values_list("action", flat=True))


def forgotten(server):
    return [event for _ in [0] for event in feed.read(server.pk, "0").events]


def test_what_is_stored_of_a_key_does_not_give_it_away(key, key_token):
    """S2: neither the row, nor its events, nor the feed hold the secret."""
    secret = key_token.split("_")[3][:32]
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        for table in tables:
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            for row in cursor.fetchall():
                assert secret not in repr(row), table
    assert len(bytes(key.digest)) == 32


def test_creation_is_audited_with_its_facts(key, company, server, owner):
    event = AuditEvent.objects.get(action="key:created")
    assert (event.chain, event.target_id, event.actor_id) == (company.pk, key.pk, owner.pk)
    assert event.data["scopes"] == ["tools:*"]
    assert verify_chain(company.pk).intact


@pytest.mark.parametrize("state", [CompanyState.PENDING, CompanyState.SUSPENDED, CompanyState.CLOSED])
def test_without_an_active_company_no_key_is_made(company, server, owner, state):
    Company.objects.filter(pk=company.pk).update(state=state)
    with pytest.raises(errors.CompanyInactive):
        factories.make_key(company, server, owner)
    assert not Key.objects.exists()


def test_a_company_cannot_make_keys_for_anothers_server(company, other_company, owner):
    with pytest.raises(errors.ServerUnavailable):
        factories.make_key(company, factories.make_server(company=other_company), owner)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"scopes": []}, errors.ScopeUnknown),
        ({"scopes": ["everything"]}, errors.ScopeUnknown),
        ({"scopes": ["tool:no_such_tool"]}, errors.ScopeUnknown),
        ({"expires_at": timezone.now() - timedelta(seconds=1)}, errors.LifetimeInvalid),
        ({"expires_at": timezone.now() + timedelta(days=5000)}, errors.LifetimeInvalid),
        ({"allowed_ips": ["10.0.0.0/99"]}, errors.AddressInvalid),
        ({"allowed_ips": [f"10.0.{n}.0/24" for n in range(51)]}, errors.AddressInvalid),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_done(company, server, owner, fields, error):
    with pytest.raises(error) as refused:
        factories.make_key(company, server, owner, **fields)
    assert str(refused.value.message)
    assert not Key.objects.exists()
    assert actions(company) == []


@pytest.mark.parametrize("role", [Role.VIEWER, None])
def test_scopes_stay_within_the_creators_rights(company, server, colleague, role):
    """S35."""
    memberships = Membership.objects.filter(company=company, user=colleague)
    memberships.update(role=role) if role else memberships.delete()
    with pytest.raises(errors.ScopeBeyondRights):
        factories.make_key(company, server, colleague)


def test_rotation_makes_a_new_value_and_leaves_the_old_one_its_overlap(key, company, owner, server):
    new, token = services.rotate_key(key=key, overlap=timedelta(hours=24), actor=Actor.user(owner))
    key.refresh_from_db()
    assert (key.state, new.state) == (CredentialState.ROTATING, CredentialState.ACTIVE)
    assert new.replaces == key
    assert (new.name, new.scopes, new.user, new.server) == (key.name, key.scopes, owner, server)
    assert abs((new.expires_at - new.created_at) - (key.expires_at - key.created_at)) < timedelta(seconds=1)
    assert selectors.find_by_token(token.text) == new
    assert actions(company) == ["key:created", "key:rotated"]
    assert {"key_id": key.pk} in forgotten(server)


def test_without_overlap_the_old_value_ends_at_once(key):
    services.rotate_key(key=key, overlap=timedelta(0), actor=SYSTEM)
    key.refresh_from_db()
    assert key.state == CredentialState.EXPIRED


def test_an_overlap_never_passes_the_old_expiry(company, server, owner):
    """S36."""
    ends = timezone.now() + timedelta(hours=2)
    key, _ = factories.make_key(company, server, owner, expires_at=ends)
    services.rotate_key(key=key, overlap=timedelta(days=7), actor=SYSTEM)
    key.refresh_from_db()
    assert key.overlap_ends_at == ends


def test_a_value_is_rotated_only_once(key):
    services.rotate_key(key=key, overlap=timedelta(hours=1), actor=SYSTEM)
    with pytest.raises(errors.AlreadyRotated):
        services.rotate_key(key=key, overlap=timedelta(hours=1), actor=SYSTEM)
    assert Key.objects.count() == 2


def test_a_revoked_key_is_not_rotated_or_changed(key):
    services.revoke_key(key=key, reason="lost", actor=SYSTEM)
    with pytest.raises(errors.NotUsable):
        services.rotate_key(key=key, overlap=timedelta(0), actor=SYSTEM)
    with pytest.raises(errors.NotUsable):
        services.update_key(key=key, actor=SYSTEM, name="other")


def test_the_overlap_can_be_ended_early(key, server):
    services.rotate_key(key=key, overlap=timedelta(hours=1), actor=SYSTEM)
    assert services.end_overlap(key=key, actor=SYSTEM).state == CredentialState.EXPIRED
    with pytest.raises(errors.NotUsable):
        services.end_overlap(key=key, actor=SYSTEM)
    assert forgotten(server).count({"key_id": key.pk}) == 2


def test_webhooks_are_told_that_an_overlap_was_ended(key, company):
    create_endpoint(url="http://127.0.0.1:9/hook", company=company, actor=SYSTEM, event_types=["key.overlap_ended"])
    new, _text = services.rotate_key(key=key, overlap=timedelta(hours=1), actor=SYSTEM)
    services.end_overlap(key=key, actor=SYSTEM)
    told = Event.objects.get()
    assert (told.type, told.data["key"]["id"], told.data["replaced_by"]) == ("key.overlap_ended", key.pk, new.pk)


def test_revoking_a_key_revokes_the_old_value_that_is_still_accepted(key, company):
    new, _ = services.rotate_key(key=key, overlap=timedelta(hours=1), actor=SYSTEM)
    services.revoke_key(key=new, reason="leaked", actor=SYSTEM)
    key.refresh_from_db()
    assert (key.state, new.refresh_from_db() or new.state) == (CredentialState.REVOKED, CredentialState.REVOKED)
    assert actions(company).count("key:revoked") == 2


def test_revoking_twice_is_one_revocation(key, company):
    first = services.revoke_key(key=key, reason="leaked", actor=SYSTEM).revoked_at
    assert services.revoke_key(key=key, reason="again", actor=SYSTEM).revoked_at == first
    assert actions(company).count("key:revoked") == 1


def test_revoking_many_leaves_an_event_for_each_in_its_own_companys_chain(
    company, other_company, server, owner, stranger
):
    keys = [factories.make_key(company, server, owner)[0] for _ in range(3)]
    keys.append(factories.make_key(other_company, server, stranger)[0])
    count = services.revoke_keys(key_ids=[key.pk for key in keys], reason="incident", actor=SYSTEM, incident_id="abc")
    assert count == 4
    assert actions(company).count("key:revoked") == 3
    assert actions(other_company).count("key:revoked") == 1
    assert verify_chain(company.pk).intact
    assert verify_chain(other_company.pk).intact
    assert AuditEvent.objects.filter(incident_id="abc").count() == 4


def test_changes_are_audited_with_what_was_before(key, company, server):
    services.update_key(key=key, actor=SYSTEM, name="New name", scopes=["tools:read"], allowed_ips=["10.0.0.7/8"])
    event = AuditEvent.objects.get(action="key:updated")
    assert event.data["name"] == {"from": "Owner's key", "to": "New name"}
    assert event.data["allowed_ips"]["to"] == ["10.0.0.0/8"]
    assert {"key_id": key.pk} in forgotten(server)
    services.update_key(key=key, actor=SYSTEM, name="New name")
    assert actions(company).count("key:updated") == 1


def test_a_removed_members_keys_end_at_once(key, company, owner):
    """S38."""
    from portal.companies.signals import member_removed

    Membership.objects.filter(company=company, user=owner).delete()
    member_removed.send(Membership, company=company, user=owner, actor=SYSTEM)
    key.refresh_from_db()
    assert key.state == CredentialState.REVOKED


def test_a_server_stays_unique_by_name_and_address(server, other_company):
    with pytest.raises(errors.NameTaken):
        servers.register_server(actor=SYSTEM, name="growerp-system", url="http://elsewhere.example.com/mcp")
    with pytest.raises(errors.NameTaken):
        servers.register_server(actor=SYSTEM, name="other", url=server.url)
    servers.register_server(
        actor=SYSTEM, name="growerp-system", url="http://elsewhere.example.com/mcp", company=other_company
    )


def test_a_credential_is_rotated_with_overlap_and_revoked(server):
    credential, token = factories.make_credential(server)
    new, new_token = servers.rotate_credential(credential=credential, overlap=timedelta(hours=1), actor=SYSTEM)
    assert selectors.find_by_token(token.text).state == CredentialState.ROTATING
    assert selectors.find_by_token(new_token.text) == new
    with pytest.raises(errors.AlreadyRotated):
        servers.rotate_credential(credential=credential, overlap=timedelta(hours=1), actor=SYSTEM)
    servers.revoke_credential(credential=new, reason="leaked", actor=SYSTEM)
    assert selectors.find_by_token(new_token.text).state == CredentialState.REVOKED


def test_finding_by_token_needs_the_whole_secret(key, key_token):
    assert selectors.find_by_token(f" {key_token}\n") == key
    body = f"lk_test_{key.pk}_" + "0" * 32
    assert selectors.find_by_token(body + tokens.checksum(body)) is None
    assert list(selectors.find_keys(key.hint)) == [key]
    assert list(selectors.find_keys(key.pk)) == [key]
    assert list(selectors.find_keys("owner's k")) == [key]


def test_the_feed_tells_each_server_its_own(company, server, owner):
    other = factories.make_server()
    mine, _ = factories.make_key(company, server, owner)
    theirs, _ = factories.make_key(company, other, owner)
    start = feed.read(server.pk, None).cursor
    services.revoke_key(key=mine, reason="x", actor=SYSTEM)
    services.revoke_key(key=theirs, reason="x", actor=SYSTEM)
    page = feed.read(server.pk, start)
    assert page.events == [{"key_id": mine.pk}]
    assert feed.read(server.pk, page.cursor).events == []
    assert feed.read(other.pk, start).events == [{"key_id": theirs.pk}]


@pytest.mark.parametrize("cursor", ["", "x", "-1", "99999", "9" * 30, "٣"])
def test_a_cursor_that_makes_no_sense_means_forget_all(key, server, cursor):
    services.revoke_key(key=key, reason="x", actor=SYSTEM)
    assert feed.read(server.pk, cursor).events == [{"all": True}]


def test_a_cursor_from_before_the_purge_means_forget_all(company, server, owner):
    for _ in range(3):
        services.revoke_key(key=factories.make_key(company, server, owner)[0], reason="x", actor=SYSTEM)
    FeedEvent.objects.filter(number__lte=2).update(at=timezone.now() - timedelta(days=2))
    assert feed.purge() == 2
    assert feed.read(server.pk, "1").events == [{"all": True}]
    assert len(feed.read(server.pk, "2").events) == 1


def test_states_and_their_queries_agree(company, server, owner):
    factories.make_key(company, server, owner)
    rotating, _ = factories.make_key(company, server, owner)
    services.rotate_key(key=rotating, overlap=timedelta(hours=1), actor=SYSTEM)
    expired, _ = factories.make_key(company, server, owner)
    services.rotate_key(key=expired, overlap=timedelta(0), actor=SYSTEM)
    revoked, _ = factories.make_key(company, server, owner)
    services.revoke_key(key=revoked, reason="x", actor=SYSTEM)
    for state in CredentialState:
        found = set(company.keys.in_state(state))
        assert found == {key for key in company.keys.all() if key.state == state}, state
        assert found
    assert {key.state for key in company.keys.usable()} == {CredentialState.ACTIVE, CredentialState.ROTATING}


def test_a_token_pasted_into_a_reason_loses_its_secret(key, key_token):
    """S5."""
    revoked = services.revoke_key(key=key, reason=f"found {key_token} in a log", actor=SYSTEM)
    assert revoked.revoked_reason == f"found lk_test_{key.pk}_[secret] in a log"
    assert key_token not in AuditEvent.objects.get(action="key:revoked").reason


def test_an_address_that_another_company_uses_tells_nothing(company, other_company, server):
    """S13."""
    theirs = servers.register_server(actor=SYSTEM, name="a", url="https://x.example.com/mcp", company=other_company)
    ours = servers.register_server(actor=SYSTEM, name="a", url="https://x.example.com/mcp", company=company)
    assert (ours.url, ours.name) == (theirs.url, theirs.name)
    with pytest.raises(errors.NameTaken):
        servers.register_server(actor=SYSTEM, name="b", url="https://x.example.com/mcp", company=company)
    with pytest.raises(errors.NameTaken):
        servers.register_server(actor=SYSTEM, name="b", url=server.url, company=company)
