"""Where a person lands whose AI client called a tool that its key may not use: at the key's edit page, if they may."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from keys.models import Key
from portal.accounts.models import User
from portal.companies.roles import ACTS


@never_cache
@login_required
@require_safe
def grant(request: HttpRequest, key_id: str) -> HttpResponse:
    """`/oauth/grant/<key>?tool=…`: to the page that lets the key use the tool, or whom to ask.

    The MCP server knows the key but not its company's name in addresses: it is found here, among the person's own.
    """
    assert isinstance(request.user, User)
    found = Key.objects.filter(pk=key_id, company__memberships__user=request.user).select_related("company", "server")
    key = found.first()
    if key is None:
        raise Http404
    membership = key.company.memberships.get(user=request.user)
    tool = request.GET.get("tool", "")[:128]
    may = key.may_be_managed_by(request.user, membership.may("key:manage_any"), membership.may("key:manage_own"))
    if may and key.is_usable:
        page = reverse("keys:edit", kwargs={"slug": key.company.slug, "key_id": key.pk})
        return redirect(f"{page}?{urlencode({'tool': tool})}")
    managers = key.company.memberships.filter(role__in=ACTS["key:manage_any"]).select_related("user")
    context = {"key": key, "tool": tool if tool in key.server.tool_names else "", "managers": managers[:10]}
    return render(request, "oauth/grant.html", context, status=200 if key.is_usable else 409)
