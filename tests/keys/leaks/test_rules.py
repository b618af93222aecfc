"""What happens by the rule of the company, and who is told."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail

from keys import services
from keys.leaks.models import Leak, Rule
from keys.leaks.services import change_rule
from keys.models import Key
from portal.audit.actors import Actor
from portal.audit.models import AuditEvent
from tests.keys.leaks.driving import committed, hit, report

pytestmark = pytest.mark.django_db


def test_a_company_that_wants_to_decide_itself_is_only_told(
    github_key, key, key_token, company, owner, django_capture_on_commit_callbacks
):
    change_rule(company=company, rule=Rule.TELL, actor=Actor.user(owner))
    committed(django_capture_on_commit_callbacks, lambda: report(github_key, [hit(key_token)]))
    key.refresh_from_db()
    assert key.state == "active"
    assert Leak.objects.get().outcome == "told"
    assert "It still works" in mail.outbox[0].body
    assert AuditEvent.objects.get(action="leak:rule_changed").data == {"rule": "tell", "old_rule": "revoke"}


def test_the_old_value_leaks_and_the_new_one_goes_on(github_key, key, key_token, owner):
    new, _ = services.rotate_key(key=key, overlap=timedelta(hours=1), actor=Actor.user(owner))
    report(github_key, [hit(key_token)])
    key.refresh_from_db()
    assert (key.state, Key.objects.get(pk=new.pk).state) == ("revoked", "active")


def test_owners_are_told_even_if_the_broker_was_away(github_key, key_token):
    from keys.leaks.tasks import tell_owners

    report(github_key, [hit(key_token)])  # no commit in this test: the task was not sent
    assert mail.outbox == []
    assert (tell_owners(), tell_owners()) == (1, 0)
    assert len(mail.outbox) == 1
