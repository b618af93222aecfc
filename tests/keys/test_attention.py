"""What needs attention: counted for the overview, and the same keys behind each link."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from keys import services
from keys.attention import CONCERNS, Finding, concerned, standing
from keys.models import Key
from keys.usage.models import RefusalDay
from portal.audit.actors import SYSTEM
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def keys(company, server, owner):
    """One key for each concern, named for it, and one that is well."""
    now = timezone.now()

    def make(name, **changes):
        key, _ = factories.make_key(company, server, owner, name=name)
        used = {"last_used_at": now, "created_at": now - timedelta(days=200)}
        Key.objects.filter(pk=key.pk).update(**used | changes)
        return Key.objects.get(pk=key.pk)

    refused = make("refused")
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    for key, count in ((refused, 10), (make("well"), 9)):
        RefusalDay.objects.create(period=day, company_id=company.pk, key_id=key.pk, count=count)
    return {
        "refused": refused,
        "expiring": make("expiring", expires_at=now + timedelta(days=10)),
        "never-used": make("never-used", last_used_at=None),
        "unused": make("unused", last_used_at=now - timedelta(days=91)),
        "no-expiry": make("no-expiry", expires_at=None),
    }


def test_each_concern_finds_its_key_and_no_other(company, keys):
    for concern in CONCERNS:
        assert [key.name for key in concerned(company, company.keys.all(), concern.slug)] == [concern.slug]
    assert [(finding.concern.slug, finding.count) for finding in standing(company).findings] == [
        (concern.slug, 1) for concern in CONCERNS
    ]


def test_one_query_is_enough(company, keys, django_assert_num_queries):
    with django_assert_num_queries(1):
        standing(company)


def test_keys_that_are_over_need_nothing(company, keys):
    services.revoke_keys(key_ids=[key.pk for key in keys.values()], reason="over", actor=SYSTEM)
    assert standing(company).findings == []


def test_a_key_of_today_may_wait_for_its_client(company, server, owner):
    factories.make_key(company, server, owner)
    assert standing(company).findings == []


def test_another_companys_refusals_are_none_of_ours(company, keys, other_company):
    assert standing(other_company).findings == []


def test_the_overview_links_each_to_the_list_that_shows_it(owner_client, company, keys):
    page = owner_client.get(reverse("company", kwargs={"slug": company.slug})).content.decode()
    listed = reverse("keys:list", args=[company.slug])
    for concern in CONCERNS:
        assert f'href="{listed}?needs={concern.slug}"' in page
        found = owner_client.get(listed, {"needs": concern.slug}).content.decode()
        assert Finding(concern, 1).advice in found
        assert f">{concern.slug}</a>" in found
        assert ">well</a>" not in found


def test_the_advice_is_in_the_number_of_the_keys(owner_client, company, keys):
    page = owner_client.get(reverse("company", kwargs={"slug": company.slug})).content.decode()
    assert "1 key expires within 14 days" in page and "Rotate it in time" in page and "Rotate them" not in page
    Key.objects.filter(pk=keys["unused"].pk).update(expires_at=timezone.now() + timedelta(days=3))
    page = owner_client.get(reverse("company", kwargs={"slug": company.slug})).content.decode()
    assert "2 keys expire within 14 days" in page and "Rotate them in time" in page
    listed = owner_client.get(reverse("keys:list", args=[company.slug]), {"needs": "expiring"}).content.decode()
    assert "Rotate them in time" in listed
