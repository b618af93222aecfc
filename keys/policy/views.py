"""The page of a company's rules for its new keys, among its settings."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from keys.errors import AddressInvalid, LifecycleError
from keys.policy.forms import PolicyForm
from keys.policy.selectors import policy_of
from keys.policy.services import set_policy
from portal.audit.actors import Actor
from portal.companies.access import CompanyRequest, company_page


@require_http_methods(["GET", "HEAD", "POST"])
@company_page("company:edit")
def policy(request: CompanyRequest, slug: str) -> HttpResponse:
    """Default and longest life of keys, who makes them, and the addresses that they begin with."""
    form = PolicyForm(request.POST or None, policy=policy_of(request.company))
    if request.method == "POST" and form.is_valid():
        names = ("default_days", "longest_days", "makers", "allowed_ips")
        fields = {name: form.cleaned_data[name] for name in names}
        try:
            set_policy(company=request.company, actor=Actor.user(request.user, request), **fields)
        except LifecycleError as error:
            form.add_error("allowed_ips" if isinstance(error, AddressInvalid) else None, str(error))
        else:
            messages.success(request, _("Saved. New keys follow it from now on; keys that exist stay as they are."))
            return redirect("key_policy", slug=slug)
    return render(request, "policy/policy.html", {"form": form})
