"""Labels of keys: words in normal form, on pages and in the API, kept over a rotation, and found again."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.urls import reverse

from keys import labels, services
from keys.errors import LabelInvalid
from keys.management_tokens.services import create_token
from keys.models import Key
from keys.selectors import company_labels
from portal.audit.actors import Actor
from portal.audit.models import AuditEvent
from tests import factories


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("", []),
        ("Production, office , production", ["office", "production"]),
        ("eu west;Büro\nci/cd", ["büro", "ci/cd", "eu west"]),
    ],
)
def test_labels_are_kept_in_normal_form(typed, kept):
    assert labels.checked_labels(labels.split(typed)) == kept
    assert labels.from_text(labels.to_text(kept)) == kept


@pytest.mark.parametrize("typed", ["a,b,c,d,e,f", "x" * 25, "<b>", "%", "-x", "one\x00two"])
def test_what_is_no_label_is_refused(typed):
    with pytest.raises(LabelInvalid):
        labels.checked_labels(labels.split(typed))


def test_a_whole_key_is_too_long_for_a_label():
    with pytest.raises(LabelInvalid):
        labels.checked_labels(["lk_test_0123456789AB_abcdefghijklmnopqrstuvwxyzABCDEF012345"])


@pytest.mark.django_db
def test_a_rotation_keeps_the_labels(company, server, owner):
    key, _ = factories.make_key(company, server, owner, labels=["Office"])
    newer, _ = services.rotate_key(key=key, overlap=timedelta(0), actor=Actor.user(owner))
    assert newer.labels == key.labels == ["office"]


@pytest.mark.django_db
def test_a_change_of_labels_is_one_audit_event_with_both(key, owner):
    services.update_key(key=key, actor=Actor.user(owner), labels=["CI"])
    services.update_key(key=key, actor=Actor.user(owner), labels=["ci"])
    (event,) = AuditEvent.objects.filter(action="key:updated", target_id=key.pk)
    assert event.data == {"labels": {"from": [], "to": ["ci"]}}
    assert Key.objects.get(pk=key.pk).labels == ["ci"]


@pytest.mark.django_db
def test_the_list_is_narrowed_to_a_label_and_offers_those_of_the_company_alone(
    owner_client, company, server, owner, other_company, stranger
):
    factories.make_key(company, server, owner, name="In the office", labels=["office"])
    factories.make_key(company, server, owner, name="Elsewhere", labels=["office two"])
    factories.make_key(other_company, server, stranger, labels=["secret project"])
    address = reverse("keys:list", args=[company.slug])
    page = owner_client.get(address, {"label": "office"}).content.decode()
    assert "In the office" in page and "Elsewhere" not in page and "secret project" not in page
    assert company_labels(company) == ["office", "office two"]
    assert "Elsewhere" in owner_client.get(address, {"q": "Office Two"}).content.decode()


@pytest.mark.django_db
def test_a_wrong_label_is_explained_at_its_field(owner_client, key):
    address = reverse("keys:edit", args=[key.company.slug, key.pk])
    response = owner_client.post(address, {"name": key.name, "access": "tools:*", "labels": "good, <bad>"})
    assert "“&lt;bad&gt;” is no label" in response.content.decode()
    assert Key.objects.get(pk=key.pk).labels == []


@pytest.mark.django_db
def test_the_management_api_knows_labels(client, company, owner, server):
    _token, text = create_token(
        company=company, user=owner, name="ci", scopes=["keys:read", "keys:write"], expires_at=None,
        actor=Actor.user(owner),
    )  # fmt: skip
    headers = {"Authorization": f"Bearer {text.text}"}
    body = {"name": "Bot", "server": server.name, "scopes": ["tools:*"], "expires_in_days": 30, "labels": ["CI", "eu"]}

    def ask(method, address, sent=None):
        return getattr(client, method)(
            address, json.dumps(sent) if sent else None, content_type="application/json", headers=headers
        )

    made = ask("post", "/api/v1/keys", body)
    assert (made.status_code, made.json()["labels"]) == (201, ["ci", "eu"])
    address = f"/api/v1/keys/{made.json()['id']}"
    assert ask("patch", address, {"labels": ["ops"]}).json()["labels"] == ["ops"]
    assert ask("patch", address, {"labels": ["<"]}).status_code == 422
    found = client.get("/api/v1/keys", {"label": "OPS"}, headers=headers).json()["results"]
    assert [each["name"] for each in found] == ["Bot"]
    assert client.get("/api/v1/keys", {"label": "ci"}, headers=headers).json()["results"] == []


def test_a_form_says_at_once_all_that_is_wrong(owner_client, company, server):
    data = {"name": "", "labels": "a, b, c, d, e, f", "server": server.pk, "access": "tools:*", "lifetime": "90"}
    form = owner_client.post(reverse("keys:new", args=[company.slug]), data).context["form"]
    assert form.errors["labels"] == ["A key can have at most 5 labels."] and "name" in form.errors
