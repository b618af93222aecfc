"""Who may open the staff's pages."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _

from portal.accounts.models import User
from portal.audit.actors import Actor

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def lacks_second_factor(user: Any) -> bool:
    """Whether `user` must set up a second factor before working as staff (security statement S15)."""
    return settings.STAFF_SECOND_FACTOR and not is_mfa_enabled(user)


def staff_page(view: View[P]) -> View[P]:
    """Let only the operator's staff in: others are told that there is no such page. What it shows is not kept."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        if not request.user.is_staff:
            raise Http404
        if lacks_second_factor(request.user):
            messages.warning(request, _("Staff need a second factor. Set one up, then come back."))
            return redirect("mfa_index")
        response = view(request, *args, **kwargs)
        patch_cache_control(response, no_store=True, private=True)
        return response

    return guarded


def staff_actor(request: HttpRequest) -> Actor:
    """The member of staff who makes the request, as the record names them."""
    assert isinstance(request.user, User)
    return Actor.staff(request.user, request)
