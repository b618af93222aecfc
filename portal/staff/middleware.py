"""What holds for staff on every page: short sessions, and Django's admin only from where it may be reached."""

from __future__ import annotations

import time
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.signals import user_logged_in
from django.contrib.auth.views import redirect_to_login
from django.dispatch import receiver
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from portal.accounts.reauthentication import SIGNED_IN_AT
from portal.addresses import client_address
from portal.middleware import is_machine

SEEN_AT = "staff_seen_at"
NOTED_EVERY = 60  # seconds: being seen is written into the session no more often


class StaffMiddleware:
    """Ends the sessions of staff that are too old or were left alone; hides the admin from other addresses."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer the request, unless the session is over."""
        if not is_machine(request) and settings.SESSION_COOKIE_NAME in request.COOKIES and is_over(request):
            logout(request)
            messages.info(request, _("Sessions of staff are short. Sign in again to go on."))
            return redirect_to_login(request.get_full_path() if request.method == "GET" else "/staff/")
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        """Say that there is no admin, to whoever comes from an address that is not on its list."""
        match = request.resolver_match
        if match and "admin" in match.app_names and not may_reach_admin(request):
            raise Http404


@receiver(user_logged_in, dispatch_uid="staff.seen_at")
def mark_session(sender: Any, request: HttpRequest, user: Any, **kwargs: Any) -> None:
    """Mark the session of somebody of the staff as one that is short."""
    if user.is_staff:
        request.session[SEEN_AT] = time.time()


def is_over(request: HttpRequest) -> bool:
    """Whether the session is of staff and too old, or was not used for too long. Notes that it is used now."""
    seen = request.session.get(SEEN_AT)
    if seen is None:
        return False
    now = time.time()
    began = request.session.get(SIGNED_IN_AT, 0)
    if now - began > settings.STAFF_SESSION_HOURS * 3600 or now - seen > settings.STAFF_IDLE_MINUTES * 60:
        return True
    if now - seen > NOTED_EVERY:
        request.session[SEEN_AT] = now
    return False


def may_reach_admin(request: HttpRequest) -> bool:
    """Whether LATCHKEY_ADMIN_ADDRESSES is not set, or holds the address of the request."""
    if not settings.ADMIN_ADDRESSES:
        return True
    address = client_address(request)
    return address is not None and any(ip_address(address) in network for network in settings.ADMIN_ADDRESSES)
