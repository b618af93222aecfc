from __future__ import annotations

import json
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.test import Client, override_settings
from django.urls import include, path

from portal.accounts.models import User


def _raise(error: Exception) -> Any:
    def view(request: HttpRequest) -> HttpResponse:
        raise error

    return view


def _too_many(request: HttpRequest) -> HttpResponse:
    return render(request, "429.html", status=429)


urlpatterns = [
    path("400/", _raise(SuspiciousOperation("no"))),
    path("403/", _raise(PermissionDenied())),
    path("429/", _too_many),
    path("500/", _raise(ValueError("a secret detail"))),
    path("503/", _raise(OperationalError("host db.internal refused"))),
    path("", include("portal.urls")),
]
handler400 = "portal.views.bad_request"
handler500 = "portal.views.server_error"


@pytest.fixture
def browser() -> Client:
    return Client(raise_request_exception=False)


# --- Landing -------------------------------------------------------------------------------------------------------


def test_the_landing_page_says_what_to_do_first(client: Client, db: None) -> None:
    html = client.get("/").content.decode()
    assert "API keys for MCP servers" in html
    assert 'href="/accounts/signup/"' in html
    assert 'href="/accounts/login/"' in html


def test_the_landing_page_takes_a_member_to_the_company(owner_client: Client) -> None:
    html = owner_client.get("/").content.decode()
    assert 'href="/home/"' in html
    assert "/accounts/signup/" not in html


def test_the_landing_page_may_be_found_and_shared(client: Client, db: None) -> None:
    html = client.get("/").content.decode()
    assert "noindex" not in html
    assert '<meta property="og:image" content="http' in html


def test_the_landing_page_asks_the_database_nothing_of_a_visitor(
    client: Client, db: None, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        client.get("/")


def test_the_manifest_names_pictures_that_exist() -> None:
    static = settings.BASE_DIR / "static"
    manifest = json.loads((static / "site.webmanifest").read_text())
    assert all((static / picture["src"]).is_file() for picture in manifest["icons"])
    assert (static / "img/favicon.ico").read_bytes()[:4] == b"\x00\x00\x01\x00"


# --- Theme ---------------------------------------------------------------------------------------------------------


def test_the_theme_is_remembered_without_script(client: Client, db: None) -> None:
    answer = client.post("/theme/", {"theme": "dark", "next": "/?a=1"})
    assert answer["Location"] == "/?a=1"
    assert answer.cookies["theme"]["httponly"]
    assert 'data-theme="dark"' in client.get("/").content.decode()


def test_the_system_decides_when_no_theme_is_chosen(client: Client, db: None) -> None:
    client.cookies["theme"] = "dark"
    client.post("/theme/", {"theme": "system", "next": "/"})
    assert "data-theme=" not in client.get("/").content.decode()


def test_a_theme_that_does_not_exist_is_ignored(client: Client, db: None) -> None:
    client.cookies["theme"] = '"><script>'
    assert "data-theme=" not in client.get("/").content.decode()


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", ""])
def test_the_theme_form_leads_to_no_other_site(client: Client, db: None, target: str) -> None:
    assert client.post("/theme/", {"theme": "dark", "next": target})["Location"] == "/"


def test_the_theme_is_not_changed_by_a_link(client: Client, db: None) -> None:
    assert client.get("/theme/?theme=dark").status_code == 405


def test_the_theme_form_needs_its_token(db: None) -> None:
    answer = Client(enforce_csrf_checks=True).post("/theme/", {"theme": "dark"})
    assert answer.status_code == 403
    assert "This form is out of date" in answer.content.decode()


# --- Errors --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "status", "words"),
    [
        ("/400/", 400, "This request was not understood"),
        ("/403/", 403, "Your role does not allow this"),
        ("/no/such/page/", 404, "There is no such page"),
        ("/429/", 429, "Too many attempts"),
        ("/500/", 500, "Something failed on our side"),
        ("/503/", 503, "Latchkey cannot reach its database"),
    ],
)
@override_settings(ROOT_URLCONF=__name__)
def test_an_error_says_what_to_do(browser: Client, db: None, address: str, status: int, words: str) -> None:
    answer = browser.get(address)
    html = answer.content.decode()
    assert answer.status_code == status
    assert words in html
    assert 'class="button button-primary"' in html
    assert "secret detail" not in html
    assert "db.internal" not in html
    assert "Traceback" not in html


@override_settings(ROOT_URLCONF=__name__)
def test_a_fault_is_shown_without_the_database(browser: Client) -> None:
    """No `db` fixture: a query here would fail."""
    answer = browser.get("/500/")
    assert answer.status_code == 500
    assert answer["X-Request-Id"] in answer.content.decode()


@override_settings(ROOT_URLCONF=__name__)
def test_a_lost_database_asks_to_come_back(browser: Client) -> None:
    assert browser.get("/503/")["Retry-After"] == "2"


# --- Style guide and API reference ---------------------------------------------------------------------------------


def test_the_style_guide_shows_every_component(client: Client, db: None) -> None:
    with override_settings(PRODUCTION=False):
        assert client.get("/styleguide/").status_code == 200
    shown = (settings.BASE_DIR / "templates/styleguide/index.html").read_text()
    behind = {"card", "alert", "dialog", "tabs", "tab", "menu", "chart", "sparkline", "badge"}  # tags of these names
    inside = {"field", "field_error", "form_errors", "cursor_pagination"}
    frame = {
        "mark",
        "messages",
        "nav",
        "company_switcher",
        "sidebar_foot",
        "account_menu",
        "theme",
        "language",
        "preview",
    }
    frame |= {"site_header", "site_footer", "language"}
    for component in (settings.BASE_DIR / "templates/components").glob("*.html"):
        name = component.stem
        if name in behind:
            assert any(f"{{% {tag}" in shown for tag in (name, f"bar_{name}")), name
        elif name not in inside | frame:
            assert f"components/{name}.html" in shown, name


def test_the_style_guide_is_not_in_production(client: Client, db: None) -> None:
    with override_settings(PRODUCTION=True):
        assert client.get("/styleguide/").status_code == 404


def test_the_api_reference_has_no_inline_script_or_style(client: Client, db: None) -> None:
    html = client.get("/api/docs/").content.decode()
    assert "<style" not in html
    assert html.count("<script") == html.count("<script src=")
    assert 'id="swagger-ui"' in html


def test_a_member_of_staff_finds_the_staff_pages(staff_client: Client, staff: User) -> None:
    assert 'href="/staff/"' in staff_client.get("/").content.decode()
