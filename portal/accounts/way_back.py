"""The way back to the page that asked for a second factor first, once the person has set one up."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest

WAY_BACK: Final = "way_back"  # in the session: the address of the page, within this portal


def note(request: HttpRequest) -> None:
    """Keep the address of this page for the pages of the second factor, which offer it when there is one.

    A form's address may be none to go to, and a part of a page is none: those leave what is noted.
    """
    if request.method in {"GET", "HEAD"} and "HX-Request" not in request.headers:
        request.session[WAY_BACK] = request.get_full_path()


def arrived(request: HttpRequest) -> None:
    """Forget the address when the person is there."""
    if request.session.get(WAY_BACK) == request.get_full_path():
        del request.session[WAY_BACK]
