"""The OpenAPI document is true: whatever it allows is answered as it says, and never with a server error."""

from types import SimpleNamespace

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, assume, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from keys import limits
from keys.api import throttling
from keys.management_tokens import services as management
from keys.models import ManagementScope
from portal import wsgi
from portal.audit.actors import SYSTEM
from tests import factories
from tests.keys.oauth.driving import Agent, register

CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)


@pytest.fixture
def schema(credentials, monkeypatch):
    # As Django's test client does: the test's transaction must outlive its requests. That client connects them again
    # after each of its own, so this comes after the credentials.
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    monkeypatch.setattr(wsgi, "connection", SimpleNamespace(close_if_unusable_or_obsolete=lambda: None))
    yield schemathesis.openapi.from_wsgi("/api/schema/", wsgi.application)
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


pytestmark = [pytest.mark.django_db, pytest.mark.slow]


@pytest.fixture
def credentials(company, server, owner, owner_client):
    """A good credential of each kind, and none."""
    token = management.create_token(
        company=company, user=owner, name="fuzz", scopes=ManagementScope.values, expires_at=None, actor=SYSTEM
    )[1]
    return [
        token.text,
        factories.make_credential(server)[1].text,
        factories.make_key(company, server, owner)[1].text,
        Agent(register()).sign_in(owner_client)["access_token"],
        "",
    ]


def test_every_operation_answers_as_documented(schema, credentials):
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) > 20
    for operation in operations:

        @settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
        @given(case=operation.as_strategy())
        def answers_as_documented(case):
            assume(case.path_parameters.get("key_id") != "verify")  # which is the address of another operation
            for text in credentials:
                throttling.forget()
                limits.limiter().clear()
                headers = {"Host": "localhost"} | ({"Authorization": f"Bearer {text}"} if text else {})
                case.validate_response(case.call(headers=headers), checks=CHECKS)

        answers_as_documented()
