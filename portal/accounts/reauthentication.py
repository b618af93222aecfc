"""Who has signed in lately: asked before keys are made or rotated, and before an account changes."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account.internal.flows.reauthentication import did_recently_reauthenticate
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

SIGNED_IN_AT = "signed_in_at"


@receiver(user_logged_in, dispatch_uid="accounts.signed_in_at")
def note_sign_in(sender: Any, request: HttpRequest, **kwargs: Any) -> None:
    """Keep in the session when it began: `last_login` is the user's, and another session's sign-in proves nothing."""
    request.session[SIGNED_IN_AT] = time.time()


def signed_in_recently(request: HttpRequest) -> bool:
    """Whether this session's person proved who they are within ACCOUNT_REAUTHENTICATION_TIMEOUT seconds."""
    began = request.session.get(SIGNED_IN_AT, 0)
    if 0 <= time.time() - began < settings.ACCOUNT_REAUTHENTICATION_TIMEOUT:
        return True
    # allauth answers True for who has neither password nor second factor: that proves nothing here.
    return bool(
        request.session.get("account_authentication_methods")
        and getattr(request.user, "has_usable_password", bool)()
        and did_recently_reauthenticate(request)
    )


def recent_sign_in_required(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Decorator for a view: who has not signed in lately confirms it first, then comes back to the same address by GET.

    What a form sent is not kept and not sent again: it may hold what must not lie in a session.
    """

    @login_required
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if signed_in_recently(request):
            return view(request, *args, **kwargs)
        if request.method not in {"GET", "HEAD"}:
            messages.info(request, _("Nothing was done yet. Confirm that it is you, then send the form again."))
        query = urlencode({"next": request.get_full_path()})
        return HttpResponseRedirect(f"{reverse('account_reauthenticate')}?{query}")

    return guarded
