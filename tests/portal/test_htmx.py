"""What htmx asks for is a part of a page: an answer that is another page takes the whole window."""

from __future__ import annotations

import time
from urllib.parse import parse_qs, urlsplit

import pytest
from django.http import HttpResponseRedirect
from django.test import Client, RequestFactory
from django.urls import reverse

from keys.models import Key
from portal.accounts.reauthentication import SIGNED_IN_AT
from portal.companies.models import Company
from portal.middleware import HtmxMiddleware
from portal.staff.middleware import SEEN_AT

pytestmark = pytest.mark.django_db


def asked(page: str) -> dict[str, str]:
    """The headers of a request that htmx makes for a part of `page`."""
    return {"HX-Request": "true", "HX-Target": "trial", "HX-Current-URL": page}


def test_who_was_signed_out_gets_the_sign_in_in_the_whole_window(client: Client, company: Company, key: Key) -> None:
    page = reverse("keys:detail", args=[company.slug, key.pk])
    response = client.post(
        reverse("keys:test", args=[company.slug, key.pk]), {"value": "x"}, headers=asked(f"http://testserver{page}?a=b")
    )
    assert response.status_code == 200 and response.content == b"" and "Location" not in response
    to = urlsplit(response["HX-Redirect"])
    assert to.path == reverse("account_login") and parse_qs(to.query) == {"next": [f"{page}?a=b"]}


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/c/", "//evil.example/", "http://testserver//evil.example/", "javascript:1", ""]
)
def test_nobody_is_led_to_another_host_afterwards(client: Client, company: Company, key: Key, elsewhere: str) -> None:
    address = reverse("keys:test", args=[company.slug, key.pk])
    response = client.post(address, {"value": "x"}, headers=asked(elsewhere))
    assert parse_qs(urlsplit(response["HX-Redirect"]).query) == {"next": [address]}


def test_the_page_after_signing_in_is_the_one_they_were_on(client: Client, company: Company, key: Key) -> None:
    page = reverse("keys:detail", args=[company.slug, key.pk])
    owner = company.memberships.get(role="owner").user
    owner.set_password("three green umbrellas dance")
    owner.save()
    way = client.post(
        reverse("keys:test", args=[company.slug, key.pk]), {"value": "x"}, headers=asked(f"http://testserver{page}")
    )["HX-Redirect"]
    done = client.post(way, {"login": owner.email, "password": "three green umbrellas dance"})
    assert (done.status_code, done["Location"]) == (302, page)


def test_staff_whose_session_is_over_get_it_too(staff_client: Client) -> None:
    session = staff_client.session
    session[SEEN_AT] = session[SIGNED_IN_AT] = time.time() - 30 * 86400
    session.save()
    page = reverse("staff:dashboard")
    response = staff_client.get(page, headers=asked(f"http://testserver{page}"))
    assert parse_qs(urlsplit(response["HX-Redirect"]).query) == {"next": [page]}
    assert staff_client.get(page).status_code == 302, "and the session is over"


def test_a_redirect_of_a_page_stays_one(client: Client, company: Company) -> None:
    response = client.get(reverse("company", kwargs={"slug": company.slug}))
    assert response.status_code == 302 and "HX-Redirect" not in response


def test_an_address_elsewhere_is_left_as_it_is(rf: RequestFactory) -> None:
    request = rf.get("/x/", headers=asked("http://testserver/here/"))
    away = "https://client.example/callback?next=/theirs/"
    response = HtmxMiddleware(lambda _: HttpResponseRedirect(away))(request)
    assert response["HX-Redirect"] == away
