"""Who may open the staff's pages."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _

from portal.accounts import way_back
from portal.accounts.models import User
from portal.audit.actors import Actor
from portal.staff.middleware import SEEN_AT
from portal.staff.people import staff_role
from portal.staff.roles import ACTS, StaffRole, acts_of, may

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def lacks_second_factor(user: Any) -> bool:
    """Whether `user` must set up a second factor before working as staff (security statement S15)."""
    return settings.STAFF_SECOND_FACTOR and not is_mfa_enabled(user)


class StaffRequest(HttpRequest):
    """A request that `staff_page` let through."""

    user: User
    staff_role: StaffRole
    staff_acts: frozenset[str]


def staff_page(act: str) -> Callable[[View[P]], View[P]]:
    """Decorator for a view: only for staff whose role may do `act` (portal/staff/roles.py).

    Others are told that there is no such page; staff whose role lacks `act` are told so (403). Sets
    `request.staff_role` and `request.staff_acts`. What the page shows is not kept.
    """
    if act not in ACTS:
        raise KeyError(f"{act} is no act of portal/staff/roles.py.")

    def decorator(view: View[P]) -> View[P]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            role = staff_role(request.user)
            if role is None:
                raise Http404
            if lacks_second_factor(request.user):
                way_back.note(request)
                messages.warning(request, _("Staff need a second factor. Set one up, then come back."))
                return redirect("mfa_index")
            # Somebody who became staff while signed in: from now on the session is a short one too.
            request.session.setdefault(SEEN_AT, time.time())
            way_back.arrived(request)
            if not may(role, act):
                raise PermissionDenied(_("Your role among the staff does not allow this. Ask an administrator."))
            request = cast(StaffRequest, request)
            request.staff_role, request.staff_acts = role, acts_of(role)
            response = view(request, *args, **kwargs)
            patch_cache_control(response, no_store=True, private=True)
            return response

        guarded.staff_act = act  # type: ignore[attr-defined]
        return guarded

    return decorator


def staff_actor(request: HttpRequest) -> Actor:
    """The member of staff who makes the request, as the record names them."""
    assert isinstance(request.user, User)
    return Actor.staff(request.user, request)
