"""The browser that a command-line client opens: `python -m tests.e2e.browser ADDRESS` signs in, says yes, goes back.

Sign-in and consent are the portal's real pages; the answer goes to the client's own callback. E-mail and password are
read from the environment.
"""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace

import httpx

from tests.e2e.person import Person


def main(address: str) -> int:
    """Answer the client at `address`; 0 if its callback was content."""
    owner = {"email": os.environ["PERSON_EMAIL"], "password": os.environ["PERSON_PASSWORD"]}
    person = Person(SimpleNamespace(owner=owner))  # type: ignore[arg-type]
    back = person.says_yes(address)
    print("asked at", address.split("?")[0], "answered at", back.split("?")[0], flush=True)
    answer = httpx.get(back, timeout=20, follow_redirects=True)
    print("the client's callback said", answer.status_code, flush=True)
    return 0 if answer.status_code < 400 else 1


if __name__ == "__main__":
    sys.exit(main(next(part for part in sys.argv[1:] if part.startswith("http"))))
