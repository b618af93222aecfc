"""The mail of a development run: kept in a folder, shown at /mailbox/. In production there is neither."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage as ParsedMessage
from functools import wraps
from pathlib import Path
from typing import Any, cast

from csp.decorators import csp_replace, csp_update
from django.conf import settings
from django.contrib import messages
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_POST, require_safe

from portal.companies.access import last_company
from portal.ids import new_id

_NAME = re.compile(r"\d{19}-[0-9A-Za-z]{12}").fullmatch
KEPT = 500
PAGE_SIZE = 25


class MailboxBackend(BaseEmailBackend):
    """Keeps each mail as a file that only the portal's own user can read; the oldest go when there are too many."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Write the mails; how many."""
        folder = settings.MAILBOX_DIR
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for message in email_messages:
            name = f"{time.time_ns():019d}-{new_id()}"
            draft = folder / f"{name}.tmp"
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(message.message().as_bytes())
            draft.rename(folder / f"{name}.eml")  # a reader never sees half a mail
        for old in _files()[KEPT:]:
            old.unlink(missing_ok=True)
        return len(email_messages)


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that was kept."""

    id: str
    at: datetime
    to: str
    sender: str
    subject: str
    text: str
    html: str

    @property
    def preview(self) -> str:
        """The beginning of its text, on one line."""
        return Truncator(" ".join(self.text.split())).chars(140)


def all_mails(to: str = "") -> Iterable[Mail]:
    """The mails that were kept, newest first; only those to addresses that contain `to`."""
    for path in _files():
        mail = _read(path)
        if mail and to.lower() in mail.to.lower():
            yield mail


def find_mail(identifier: str) -> Mail | None:
    """The mail `identifier`, or None."""
    return _read(settings.MAILBOX_DIR / f"{identifier}.eml") if _NAME(identifier) else None


def _files() -> list[Path]:
    return sorted(settings.MAILBOX_DIR.glob("*.eml"), reverse=True)


def _read(path: Path) -> Mail | None:
    try:
        message = message_from_bytes(path.read_bytes(), policy=policy.default)
    except FileNotFoundError:
        return None
    return Mail(
        id=path.stem,
        at=datetime.fromtimestamp(int(path.stem.partition("-")[0]) / 1e9, UTC),
        to=str(message.get("To", "")),
        sender=str(message.get("From", "")),
        subject=str(message.get("Subject", "")),
        text=_part(message, "plain"),
        html=_part(message, "html"),
    )


def _part(message: ParsedMessage, kind: str) -> str:
    part = message.get_body(preferencelist=(kind,))
    return str(part.get_content()) if part else ""


def _development_only(view: Callable[..., Any]) -> Callable[..., HttpResponse]:
    """Decorator: 404 wherever mail is really sent."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not settings.MAILBOX or settings.PRODUCTION:
            raise Http404
        if request.user.is_authenticated:
            last_company(request)
        return cast(HttpResponse, view(request, *args, **kwargs))

    return guarded


@require_safe
@never_cache
@_development_only
def mailbox(request: HttpRequest) -> HttpResponse:
    """The mails, newest first; `?to=` shows those to one address."""
    to = request.GET.get("to", "").strip()
    page = Paginator(list(all_mails(to)), PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "mailbox/list.html", {"page": page, "to": to, "total": len(_files())})


@require_safe
@never_cache
@_development_only
@csp_update({"frame-src": ["'self'"]})  # type: ignore[arg-type]  # its annotation knows no views with arguments
def mail(request: HttpRequest, mail_id: str) -> HttpResponse:
    """One mail, as its reader sees it and as text."""
    return render(request, "mailbox/mail.html", {"mail": _found(mail_id)})


# A mail's own markup has style attributes; nothing in it may run, load or send.
MAIL_POLICY = {
    **{name: ["'none'"] for name in ("default-src", "script-src", "connect-src", "font-src", "form-action")},
    "style-src": ["'unsafe-inline'"],
    "img-src": ["data:"],
    "frame-ancestors": ["'self'"],
    "sandbox": ["allow-popups", "allow-popups-to-escape-sandbox"],
}


@require_safe
@never_cache
@_development_only
@xframe_options_sameorigin
@csp_replace(MAIL_POLICY)  # type: ignore[arg-type]  # as above
def mail_html(request: HttpRequest, mail_id: str) -> HttpResponse:
    """The HTML of one mail, alone, for the frame of its page."""
    return HttpResponse(_found(mail_id).html)


@require_POST
@_development_only
def clear(request: HttpRequest) -> HttpResponse:
    """Throw all mails away."""
    for path in _files():
        path.unlink(missing_ok=True)
    messages.success(request, _("The mailbox is empty."))
    return redirect("mailbox")


def _found(identifier: str) -> Mail:
    mail = find_mail(identifier)
    if mail is None:
        raise Http404
    return mail
