"""The portal's management API, as the command line uses it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping
from typing import Any, Final

import httpx

from latchkey import portal
from latchkey.tokens import kind_of
from latchkey.version import __version__

REFUSED: Final = 1
WRONG_ARGUMENTS: Final = 2
NOT_AUTHENTICATED: Final = 3
UNAVAILABLE: Final = 4


class CommandError(Exception):
    """Ends the command: what to tell, and the exit code."""

    def __init__(self, message: str, code: int = REFUSED) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


def from_environment(name: str, what: str) -> str:
    """The environment variable `name`. Raises CommandError, saying `what` belongs there."""
    value = os.environ.get(name, "").strip()
    if not value:
        raise CommandError(f"Set {name} to {what}.", NOT_AUTHENTICATED)
    return value


class Api:
    """A connection with one token. Every answer that is none ends the command with the portal's own words."""

    def __init__(self, url: str, token: str) -> None:
        try:
            self._client = httpx.Client(
                base_url=portal.base_url(url),
                headers={
                    "Authorization": f"Bearer {token}",
                    "Accept": "application/json",
                    "User-Agent": f"latchkey-cli/{__version__}",
                },
                timeout=15,
            )
        except (ValueError, httpx.InvalidURL):
            raise CommandError("LATCHKEY_URL must look like https://portal.example.com.", NOT_AUTHENTICATED) from None

    @classmethod
    def of_company(cls, url: str) -> Api:
        """With the management token of the environment."""
        token = from_environment("LATCHKEY_TOKEN", "a management token (lk_mgt_…), made in the portal")
        if kind_of(token) != "mgt":
            raise CommandError("LATCHKEY_TOKEN is not a management token (lk_mgt_…).", NOT_AUTHENTICATED)
        return cls(url, token)

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Any:
        """The JSON of the answer. Raises CommandError."""
        try:
            answer = self._client.request(method, path, json=body, headers=headers, params=params)
        except httpx.HTTPError as error:
            raise CommandError(f"The portal does not answer: {type(error).__name__}.", UNAVAILABLE) from None
        if answer.is_success:
            try:
                return answer.json() if answer.content else {}
            except ValueError:
                raise CommandError("The portal's answer was not understood.", UNAVAILABLE) from None
        raise CommandError(_words(answer), _exit_code(answer.status_code))

    def pages(self, path: str, params: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """All rows of a list, over all its pages."""
        page = self.call("GET", path, params=params)
        while True:
            yield from page["results"]
            following = page.get("next")
            if not following:
                return
            # The token goes nowhere but to the portal it is for, whatever `next` says.
            page = self.call("GET", httpx.URL(following).raw_path.decode("ascii"))


def url_of(asked: argparse.Namespace) -> str:
    """The portal's address, from the arguments or the environment. Raises CommandError."""
    if not asked.url:
        raise CommandError("Set LATCHKEY_URL to the portal's address, or use --url.", NOT_AUTHENTICATED)
    return str(asked.url)


def secret_in(answer: Mapping[str, Any]) -> str:
    """The new value in the answer to create and rotate."""
    if "value" in answer and answer["value"] is None:
        raise CommandError(
            f"This was done before, as {answer.get('id', 'another key')}, whose value was shown then. If it is lost, "
            "rotate that key with another --idempotency-key."
        )
    for value in answer.values():
        if isinstance(value, str) and kind_of(value):
            return value
    raise CommandError("The portal's answer has no key in it.", UNAVAILABLE)


def _words(answer: httpx.Response) -> str:
    try:
        problem = answer.json()
        words = str(problem.get("detail") or problem.get("title") or "")
        for field, errors in (problem.get("errors") or {}).items():
            found = errors if isinstance(errors, list) else [errors]
            texts = [str(error.get("message", error)) if isinstance(error, dict) else str(error) for error in found]
            words += f"\n  {field}: {' '.join(texts)}"
    except (ValueError, AttributeError):
        words = ""
    return words or f"The portal answered {answer.status_code}."


def _exit_code(status: int) -> int:
    if status in {401, 403}:
        return NOT_AUTHENTICATED
    return UNAVAILABLE if status == 429 or status >= 500 else REFUSED
