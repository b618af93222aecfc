"""Every action that the code records reads as a sentence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import translation

from keys.forms import REASONS
from portal.audit.actors import SYSTEM, Actor
from portal.audit.models import AuditEvent
from portal.audit.reasons import KNOWN, reason_in_words
from portal.audit.sentences import SENTENCES, SUBJECTS, action_choices, line, plain_sentence, sentence
from portal.audit.services import Target, record
from portal.audit.verification import fault_in_words
from portal.staff.forms import COMPANY_REASONS, KEY_REASONS
from portal.ui.icons import ICONS

# An action as it stands in the code: a subject and a verb in the past tense, which no act of roles.py is.
RECORDED = re.compile(r"""["']([a-z_]+:[a-z_]*(?:ed|_out|_in|_by_staff))["']""")


def recorded_actions() -> set[str]:
    found: set[str] = set()
    for room in ("portal", "keys"):
        for path in Path(settings.BASE_DIR, room).rglob("*.py"):
            if not {"tests", "screens"} & {*path.parts, path.stem}:  # names of pages look alike
                found |= set(RECORDED.findall(path.read_text(encoding="utf-8")))
    return found


def make(action: str, *, actor: Actor = SYSTEM, **fields: object):
    fields = {"company": None, "target": Target("key", "k1", "CI <b>"), **fields}
    with transaction.atomic():
        return record(action, actor=actor, **fields)


def test_every_recorded_action_has_a_sentence():
    assert {"key:revoked", "company:created", "server:stopped"} <= recorded_actions()
    assert recorded_actions() - set(SENTENCES) == set()


def test_every_sentence_has_an_icon_and_a_subject():
    assert {entry.icon for entry in SENTENCES.values()} - set(ICONS) == set()
    assert {action.partition(":")[0] for action in SENTENCES} - set(SUBJECTS) == set()


def test_every_action_can_be_chosen():
    values = {value for _group, choices in action_choices() for value, _label in choices}
    assert set(SENTENCES) <= values
    assert not any("%" in label or "<" in label for _group, choices in action_choices() for _value, label in choices)


@pytest.mark.django_db
@pytest.mark.parametrize("action", sorted(SENTENCES))
def test_every_sentence_reads_without_its_facts(action):
    text = plain_sentence(make(action))
    assert text.startswith("Latchkey ")
    assert "%(" not in text


@pytest.mark.django_db
def test_names_are_escaped_and_the_address_of_who_acted_is_left_out(owner):
    event = make("key:revoked", actor=Actor.user(owner))
    assert "&lt;b&gt;" in sentence(event)
    assert "<b>" not in sentence(event)
    assert owner.email not in line(event).text
    assert owner.name in line(event).text


@pytest.mark.django_db
def test_facts_cannot_carry_markup():
    event = make("key:updated", data={"fields": ["<script>"]})
    assert "<script>" not in sentence(event)


@pytest.mark.django_db
def test_a_change_of_role_says_both_roles():
    data = {"role": "admin", "old_role": "viewer"}
    event = make("member:role_changed", target=Target("user", "u", "Bob <bob@example.com>"), data=data)
    assert plain_sentence(event) == "Latchkey made Bob admin instead of viewer"


@pytest.mark.django_db
def test_an_unknown_action_reads_as_its_words():
    assert plain_sentence(make("key:frozen_solid")) == "Latchkey key: frozen solid: CI <b>"


@pytest.mark.django_db
def test_changed_fields_are_named_in_the_language_of_the_reader():
    event = make("key:updated", data={"allowed_ips": {}, "per_minute": {}, "a_new_one": {}})
    assert plain_sentence(event).endswith("CI <b>: a new one, allowed addresses, calls a minute")
    with translation.override("nl"):
        assert plain_sentence(event).endswith(": a new one, toegestane adressen, aanroepen per minuut")


@pytest.mark.parametrize(
    "fault",
    ["event 3 is missing", "event 3 was changed", "events after 3 are missing",
     "its end is not the one that was noted", "its end was not noted"],
)  # fmt: skip
def test_what_is_wrong_with_a_chain_is_said_in_the_language_of_the_reader(fault):
    assert fault_in_words(fault) == fault
    with translation.override("de"):
        assert fault_in_words(fault) != fault and ("3" in fault) == ("3" in fault_in_words(fault))
    assert fault_in_words("something else") == "something else"


@pytest.mark.django_db
def test_a_reason_is_recorded_in_english_and_read_in_the_language_of_the_reader(key, owner_client, company):
    owner_client.defaults["HTTP_ACCEPT_LANGUAGE"] = "nl"
    address = reverse("keys:revoke", args=[company.slug, key.pk])
    owner_client.post(address, {"reason": "1", "details": "in een log"})
    event = AuditEvent.objects.get(action="key:revoked")
    assert event.reason == "Leaked or exposed: in een log"
    with translation.override("nl"):
        assert line(event).note == "Gelekt of zichtbaar geworden: in een log"
    with translation.override("de"):
        assert line(event).note == "Geleakt oder offengelegt: in een log"
    page = owner_client.get(reverse("keys:detail", args=[company.slug, key.pk])).content.decode()
    assert "Gelekt of zichtbaar geworden: in een log" in page and "Leaked or exposed" not in page


def test_every_reason_that_is_offered_or_given_by_itself_is_known():
    with translation.override("en"):
        offered = {str(label) for label, _help in REASONS[:-1]}
    offered |= {value for value, _label in KEY_REASONS + COMPANY_REASONS} - {"", "Other"}
    written = "\n".join(path.read_text() for path in Path(settings.BASE_DIR, "keys").rglob("*.py"))
    offered |= set(re.findall(r'reason="([A-Z][^"{]+)"', written))
    assert len(offered) > 10 and offered - KNOWN == set()
    assert reason_in_words("Name: of a person") == "Name: of a person"
