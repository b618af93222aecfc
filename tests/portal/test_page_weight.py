"""What a page weighs with all that it loads, compressed as it is sent; and that no script holds up its first paint."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.contrib.staticfiles import finders
from django.urls import reverse

from keys.usage.models import Sighting

pytestmark = pytest.mark.django_db
MOST = 100_000
PACKED = {".woff2", ".png", ".ico"}  # compressed in themselves


@pytest.fixture
def pages(owner_client, company, key, server):
    """The pages of a company, the richest state of each."""
    form = owner_client.get(reverse("keys:new", args=[company.slug])).context["form"]
    data = {"once": form["once"].value(), "name": "New", "server": server.pk, "access": "tools:*", "lifetime": "90"}
    made = owner_client.post(reverse("keys:new", args=[company.slug]), data)
    Sighting.objects.all().delete()
    found = {"keys:new, made": made.content.decode()}
    for name, args in [
        ("company", []), ("keys:list", []), ("keys:new", []), ("keys:detail", [key.pk]), ("keys:edit", [key.pk]),
        ("keys:rotate", [key.pk]), ("keys:test", [key.pk]), ("keys:revoke", [key.pk]), ("usage", []),
        ("servers:list", []), ("servers:detail", [server.pk]), ("servers:check", [server.pk]), ("team", []),
        ("audit", []),
    ]:  # fmt: skip
        response = owner_client.get(reverse(name, args=[company.slug, *args]))
        assert response.status_code == 200, name
        found[name] = response.content.decode()
    return found


def loaded(page):
    """The static files that a browser fetches for `page`."""
    tags = re.findall(r"<(?:link|script|img)\b[^>]*>", page)
    for tag in tags:
        # Of the icons a browser takes one; the manifest and the icon for home screens are not loaded with the page.
        if re.search(r'rel="(apple-touch-icon|manifest|canonical)"', tag) or "favicon.ico" in tag:
            continue
        address = re.search(r'(?:href|src)="([^"]+)"', tag)
        if address and urlsplit(address[1]).path.startswith("/static/"):
            yield urlsplit(address[1]).path.removeprefix("/static/")


def weight(name):
    path = Path(finders.find(re.sub(r"\.[0-9a-f]{12}\.", ".", name)))
    content = path.read_bytes()
    return len(content) if path.suffix in PACKED else len(gzip.compress(content))


def test_no_page_weighs_more_than_100_kb_with_all_that_it_loads(pages):
    weights = {}
    for name, page in pages.items():
        files = set(loaded(page))
        assert {"css/latchkey.css", "js/latchkey.js"} <= files
        weights[name] = len(gzip.compress(page.encode())) + sum(map(weight, files))
    assert max(weights.values()) < MOST, weights


def test_no_script_holds_up_the_first_paint_and_nothing_is_inline(pages):
    for name, page in pages.items():
        scripts = re.findall(r"<script\b([^>]*)>([^<]*)", page)
        assert scripts, name
        for attributes, text in scripts:
            assert re.search(r"\b(defer|async)\b|type=\"module\"", attributes) and not text.strip(), name
        assert len(re.findall(r'<link rel="stylesheet"', page)) == 1, name
        assert not re.search(r"<style|\son\w+=\"|\sstyle=\"", page), name
