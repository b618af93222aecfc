"""The documents as pages of the portal: each renders, each link leads somewhere, and words are found."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.urls import reverse

from keys.snippets import PLACEHOLDER, Connection, snippets
from portal.help import library, markdown, search
from portal.help.menu import GROUPS, WAYS

NAMES = sorted(library.pages())


def body(client, name):
    response = client.get(reverse("help:page", kwargs={"name": name}))
    assert response.status_code == 200
    return response.content.decode()


def documents():
    return [path for path in (Path(settings.BASE_DIR) / "docs").rglob("*.md") if path.name != "index.md"]


def test_every_document_has_a_page():
    assert len(NAMES) == len(documents())
    assert {name for group in GROUPS for name in group.names} <= set(NAMES)


def test_a_summary_is_whole_sentences_or_says_that_it_is_cut():
    for name in NAMES:
        assert library.page(name).summary.endswith((".", "!", "?", "…")), name


def test_documents_for_people_stand_under_a_heading_of_their_own():
    named = {name for group in GROUPS[:-1] for name in group.names}
    assert {"teams", "staff", "test-a-connection", "moving-from-growerp"} <= named


@pytest.mark.parametrize("name", NAMES)
def test_a_document_renders_in_the_portals_layout(client, db, name):
    text = body(client, name)
    page = library.page(name)
    assert text.count("<h1>") == 1 and "docs-menu" in text and page.document.html in text
    assert "style=" not in page.document.html and "<script" not in page.document.html


@pytest.mark.parametrize("name", NAMES)
def test_every_link_and_picture_of_a_document_leads_somewhere(client, db, name):
    html = library.page(name).document.html
    for address in map(unescape, re.findall(r'href="([^"]+)"', html)):
        if re.match(r"https?:", address):
            continue
        path, _, anchor = address.partition("#")
        target = client.get(path).content.decode() if path else html
        assert path or anchor, address
        if path:
            assert client.get(path).status_code == 200, address
        if anchor:
            assert f'id="{anchor}"' in target, address
    for picture in re.findall(r'src="/static/([^"]+)"', html):
        assert finders.find(picture), picture


def test_headings_are_anchors_and_make_the_contents(client, db):
    text = body(client, "if-a-key-leaks")
    assert 'id="as-a-company"' in text and '<a href="#as-a-company">As a company</a>' in text


def test_the_portals_own_addresses_stand_in_the_documents(client, db, settings):
    assert settings.PORTAL_URL in body(client, "quickstart")
    assert "docs/" not in re.sub(r'(href|src)="[^"]*"', "", library.page("quickstart").document.html)


def test_markup_in_a_document_is_shown_and_not_run():
    found = markdown.read("# T\n\n<b>x</b> <script>y</script>\n\n[a](javascript:alert(1))", link=str, image=str)
    assert "&lt;script&gt;" in found.html and "<b>" not in found.html
    assert "href" not in found.html


def test_a_link_to_what_is_no_document_leaves_its_words():
    found = markdown.read(
        "# T\n\nSee [the example](../x.py) and ![a picture](no.png).", link=lambda _: None, image=lambda _: None
    )
    assert "See the example and a picture." in found.html


def test_two_headings_of_the_same_words_have_two_anchors():
    found = markdown.read("# T\n\n## Same\n\nx\n\n## Same\n\ny", link=str, image=str)
    assert [section.anchor for section in found.sections] == ["", "same", "same-2"]


def test_the_start_shows_the_ways_and_every_group(client, db):
    text = client.get(reverse("help:index")).content.decode()
    for way in WAYS:
        assert (reverse(way.url_name) if way.url_name else reverse("help:page", kwargs={"name": way.name})) in text
    for group in library.menu():
        assert all(page.url in text for page in group.pages)


def test_an_unknown_document_is_404_in_style(client, db):
    response = client.get("/docs/nothing/")
    assert response.status_code == 404 and "There is no such page" in response.content.decode()
    assert client.get("/docs/../settings/").status_code == 404


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("quickstart", "quickstart"),
        ("rotate", "rotate-without-downtime"),
        ("leaked key", "if-a-key-leaks"),
        ("Gemini CLI", "connect"),
        ("backup", "operations"),
    ],
)
def test_words_are_found(client, db, question, first):
    hits = search.find(question)
    assert first in [hit.page.name for hit in hits[:5]]
    text = client.get(reverse("help:search"), {"q": question}).content.decode()
    assert f'href="{hits[0].url}"' in text


def test_a_hit_shows_the_words_in_their_sentence():
    hit = next(hit for hit in search.find("OVERLAP") if hit.section.anchor)
    assert "<mark>overlap</mark>" in hit.excerpt.lower()


def test_what_is_searched_for_is_escaped_and_nothing_found_says_what_next(client, db):
    text = client.get(reverse("help:search"), {"q": "<script>zzz"}).content.decode()
    assert "<script>zzz" not in text and "Nothing found" in text
    assert client.get(reverse("help:search")).status_code == 200
    assert search.find("") == [] and search.find("key" * 500) == []


def test_pages_lead_to_the_documents(client, db, owner_client, company):
    index = reverse("help:index")
    for address in ("/", reverse("account_login"), "/nothing-here/"):
        assert index in client.get(address).content.decode(), address
    assert index in owner_client.get(reverse("account")).content.decode()


def test_the_page_of_clients_has_every_client_with_its_own_settings():
    page = (Path(settings.BASE_DIR) / "docs" / "connect.md").read_text()
    to = Connection("growerp-system", "http://localhost:8080/rest/s1/mcp/protocol", PLACEHOLDER)
    for snippet in snippets(to):
        assert f"\n## {snippet.name}\n" in page
        section = page.split(f"\n## {snippet.name}\n")[1].split("\n## ")[0]
        assert any(form.text in section for form in snippet.forms), snippet.name
        assert not snippet.command or snippet.command in section
