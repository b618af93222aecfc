"""Somebody at a browser, whom an AI client sends to sign in."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

import httpx

from tests.e2e.conftest import Stack


class Form(HTMLParser):
    """What a browser sends of the first form that posts, with every box left as the page has it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.fields: list[tuple[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag != "input" or not given.get("name"):
            return
        if given.get("type") in {"checkbox", "radio"} and "checked" not in given:
            return
        self.fields.append((given["name"], given.get("value", "")))


class Person:
    """Somebody at a browser, who signs in and says yes."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.browser = httpx.Client(timeout=20)
        self.pages: list[str] = []

    def says_yes(self, address: str) -> str:
        """The client's own address with the answer, from the authorization address that it opened."""
        response = self.browser.get(address)
        while response.is_redirect:
            response = self.browser.get(urljoin(str(response.url), response.headers["location"]))
        if "password" in response.text:
            fields = {"login": self.stack.owner["email"], "password": self.stack.owner["password"]}
            response = self._submit(response, fields)
            while response.is_redirect:
                response = self.browser.get(urljoin(str(response.url), response.headers["location"]))
        self.pages.append(response.text)
        assert response.status_code == 200, response.text
        response = self._submit(response, {})
        assert response.is_redirect, response.text
        return response.headers["location"]

    def _submit(self, page: httpx.Response, typed: dict[str, str]) -> httpx.Response:
        data: dict[str, Any] = {}
        for name, value in Form(page.text).fields:
            data.setdefault(name, []).append(value)
        found = re.search(r'<form[^>]*method="post"[^>]*action="([^"]+)"', page.text) if typed else None
        address = urljoin(str(page.url), found[1]) if found else str(page.url)
        return self.browser.post(address, data=data | typed, headers={"Referer": str(page.url)})
