"""Erasing a person: what goes, what stays, and what stands in the way."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from keys.models import Key
from keys.oauth.models import Connection
from portal.accounts.erasure import is_erased, plan_for
from portal.accounts.models import User
from portal.accounts.reauthentication import recent_sign_in_required
from portal.companies.errors import CompanyError
from portal.staff.access import staff_actor, staff_page
from portal.staff.errors import OwnErasure, StaffError
from portal.staff.forms import EraseForm
from portal.staff.people import erase_person, staff_role
from portal.staff.selectors import counted
from portal.staff.views.acts import posted


@staff_page("person:erase")
@recent_sign_in_required
def erase(request: HttpRequest, user_id: str) -> HttpResponse:
    """Erase everything that names a person. There is no way back."""
    found = get_object_or_404(User.objects.select_related("staff_member"), pk=user_id)
    if is_erased(found):
        messages.info(request, _("This person is erased already."))
        return redirect("staff:person", found.pk)
    form, refusal = EraseForm(posted(request), user=found), ""
    if found == request.user:
        refusal = str(OwnErasure.default)
    elif request.method == "POST" and form.is_valid():
        try:
            erase_person(user=found, reason=form.cleaned_data["reason"], actor=staff_actor(request))
        except (StaffError, CompanyError) as error:
            refusal = str(error.message)
        else:
            messages.success(
                request, _("The person is erased. What they did stays in the records, without their name.")
            )
            return redirect("staff:person", found.pk)
    context = {
        "person": found,
        "plan": plan_for(found),
        "role": staff_role(found),
        "keys": counted(Key.objects.usable().filter(user=found)),
        "connections": counted(Connection.objects.usable().filter(user=found)),
        "form": form,
        "refusal": refusal,
    }
    return render(request, "staff/erase.html", context, status=400 if form.errors or refusal else 200)
