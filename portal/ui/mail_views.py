"""Every mail of the portal with example data: /styleguide/mail/, for those who write them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from csp.decorators import csp_replace, csp_update
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe

from portal.mailbox import MAIL_POLICY
from portal.ui import mail_examples


@dataclass(frozen=True, slots=True)
class Shown:
    """A mail in the list: where it is made (`prefix`), which variant, and its subject."""

    prefix: str
    variant: str
    subject: str


def _mail(prefix: str, variant: str, language: str) -> Any:
    if settings.PRODUCTION:
        raise Http404
    try:
        return mail_examples.example(prefix, variant, language)
    except KeyError:
        raise Http404 from None


def _language(request: HttpRequest) -> str:
    wanted = request.GET.get("language", "")
    return wanted if wanted in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE


@require_safe
@csp_update({"frame-src": ["'self'"]})
def mails(request: HttpRequest) -> HttpResponse:
    """The list of mails, and the one that `?mail=` names, in a closed frame and as text."""
    language = _language(request)
    shown = [
        Shown(prefix, variant, _mail(prefix, variant, language).subject)
        for prefix in mail_examples.prefixes()
        for variant in mail_examples.variants(prefix)
    ]
    wanted = request.GET.get("mail", shown[0].prefix), request.GET.get("variant", "")
    if "mail" not in request.GET:
        wanted = shown[0].prefix, shown[0].variant
    context = {
        "shown": shown, "prefix": wanted[0], "variant": wanted[1], "language": language,
        "mail": _mail(*wanted, language),
    }  # fmt: skip
    return render(request, "styleguide/mail.html", context)


@require_safe
@xframe_options_sameorigin
@csp_replace(MAIL_POLICY)
def mail_frame(request: HttpRequest) -> HttpResponse:
    """The HTML of one mail, alone, for the frame."""
    mail = _mail(request.GET.get("mail", ""), request.GET.get("variant", ""), _language(request))
    return HttpResponse(mail.alternatives[0][0])
