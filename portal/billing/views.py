"""The card page."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from portal.audit.actors import Actor
from portal.billing.cards import BRAND_NAMES, gateway
from portal.billing.errors import BillingError
from portal.billing.forms import CardForm
from portal.billing.selectors import current_card
from portal.billing.services import confirm_card
from portal.companies.access import CompanyRequest, company_page
from portal.companies.models import CompanyState


@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@company_page("card:confirm")
def card(request: CompanyRequest, slug: str) -> HttpResponse:
    """Confirm the company's card, or replace it. A refused form comes back without number and CVC."""
    current = current_card(request.company)
    if request.method == "POST":
        form = CardForm(request.POST)
        if form.is_valid():
            try:
                confirm_card(
                    company=request.company,
                    card=form.card(),
                    replaces=form.cleaned_data["replaces"],
                    user=request.user,
                    actor=Actor.user(request.user, request),
                )
            except BillingError as refusal:
                form.add_error(refusal.field or None, str(refusal.message))
            else:
                messages.success(request, _("The card is confirmed. Nothing was charged."))
                return redirect(_next(request) or reverse("company", kwargs={"slug": slug}))
    else:
        form = CardForm(initial={"cardholder": request.user.name, "replaces": str(current.pk) if current else ""})
    return _page(request, form)


def _next(request: CompanyRequest) -> str:
    """Where the person was on the way to when the card was missing; "" for anywhere but this portal."""
    address = request.GET.get("next", "")
    return address if url_has_allowed_host_and_scheme(address, None, require_https=request.is_secure()) else ""


def _page(request: CompanyRequest, form: CardForm) -> HttpResponse:
    current, service = current_card(request.company), gateway()
    pending = request.company.state == CompanyState.PENDING
    return render(
        request,
        "billing/confirm.html" if pending else "billing/card.html",
        {
            "form": form,
            "card": current,
            "brand": BRAND_NAMES.get(current.brand, _("Card")) if current else "",
            "test_cards": service.test_cards,
            "test_expiry": f"12/{(timezone.localdate().year + 3) % 100:02d}",
        },
    )
