"""A company's settings: its profile, what it asks of its members, its data as a file, and its end."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from portal.accounts.reauthentication import recent_sign_in_required
from portal.audit.actors import Actor
from portal.companies import exports, mails
from portal.companies.access import CompanyRequest, closed_company_page, company_page
from portal.companies.closing import reopen_company
from portal.companies.errors import CompanyError
from portal.companies.forms import CloseForm, ProfileForm, SecurityForm
from portal.companies.models import REOPENABLE, Company, CompanyExport
from portal.companies.roles import Role
from portal.companies.services import close_company, update_company

form_page = require_http_methods(["GET", "HEAD", "POST"])


@form_page
@company_page("company:edit")
def settings(request: CompanyRequest, slug: str) -> HttpResponse:
    """Name, currency and time zone, and the ways to everything else that can be set."""
    form = ProfileForm(request.POST or None, company=request.company)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            _update(request, name=data["company_name"], currency=data["currency"], time_zone=data["time_zone"])
        except ValidationError as error:
            form.add_error("company_name", error)
        else:
            messages.success(request, _("The settings are saved."))
            return redirect("settings", slug=slug)
    return render(request, "companies/settings.html", {"form": form})


@form_page
@company_page("company:edit")
def security(request: CompanyRequest, slug: str) -> HttpResponse:
    """Whether every member needs a second factor. Asking less of them needs a recent sign-in."""
    initial = {"require_second_factor": request.company.require_second_factor}
    form = SecurityForm(request.POST if request.method == "POST" else None, initial=initial)
    if request.method == "POST" and form.is_valid():
        loosens = request.company.require_second_factor and not form.cleaned_data["require_second_factor"]
        save = recent_sign_in_required(_save_security) if loosens else _save_security
        return save(request, form)
    return render(request, "companies/security.html", {"form": form})


def _save_security(request: CompanyRequest, form: SecurityForm) -> HttpResponse:
    try:
        _update(request, require_second_factor=form.cleaned_data["require_second_factor"])
    except CompanyError as error:
        form.add_error("require_second_factor", str(error.message))
        return render(request, "companies/security.html", {"form": form})
    messages.success(request, _("The settings are saved."))
    return redirect("security", slug=request.company.slug)


@form_page
@company_page("company:export")
def export(request: CompanyRequest, slug: str) -> HttpResponse:
    """Ask for the company's data as a file, and download those that were made."""
    if request.method == "POST":
        try:
            exports.request_export(company=request.company, user=request.user, actor=Actor.user(request.user, request))
        except CompanyError as error:
            messages.error(request, str(error.message))
        else:
            messages.success(request, _("The export is being made. You get a mail when it is ready."))
        return redirect("company_export", slug=slug)
    return render(request, "companies/export.html", {"exports": exports.recent_exports(request.company)})


@company_page("company:export")  # type: ignore[arg-type]  # a streamed file is no HttpResponse
@require_safe
def export_download(request: CompanyRequest, slug: str, export_id: str) -> HttpResponseBase:
    """The file. Taking a copy is an event of the record."""
    found = exports.ready_export(request.company, export_id)
    if found is None:
        raise Http404
    if request.method == "GET":
        exports.note_download(export=found, actor=Actor.user(request.user, request))
    return _file(request.company, found)


@form_page
@company_page("company:close")
@recent_sign_in_required
def close(request: CompanyRequest, slug: str) -> HttpResponse:
    """Close the company: what acts for it ends at once. An owner can open it again for 14 days."""
    company = request.company
    form = CloseForm(request.POST or None, company=company)
    if request.method == "POST" and form.is_valid():
        owners = _owners(company)
        try:
            company = close_company(company=company, actor=Actor.user(request.user, request))
        except CompanyError as error:
            form.add_error(None, str(error.message))
        else:
            _tell_owners(owners, company, "company_closed", by=request.user, until=company.reopenable_until)
            messages.success(
                request, _("%(company)s is closed. Its keys are refused from now on.") % {"company": company}
            )
            return redirect("reopen_company", slug=slug)
    return render(request, "companies/close.html", {"form": form, "days": REOPENABLE.days})


@form_page
@closed_company_page
@recent_sign_in_required
def reopen(request: CompanyRequest, slug: str) -> HttpResponse:
    """The way back of a closed company."""
    if request.method == "POST":
        try:
            company = reopen_company(company=request.company, actor=Actor.user(request.user, request))
        except CompanyError as error:
            messages.error(request, str(error.message))
            return redirect("home")
        _tell_owners(_owners(company), company, "company_reopened", by=request.user)
        messages.success(
            request, _("%(company)s is open again. Keys that were revoked stay revoked: create new ones.")
            % {"company": company},
        )  # fmt: skip
        return redirect("company", slug=slug)
    context = {"company": request.company, "until": request.company.reopenable_until}
    return render(request, "companies/reopen.html", context)


def _update(request: CompanyRequest, **changes: Any) -> Company:
    actor = Actor.user(request.user, request)
    return update_company(company=request.company, user=request.user, actor=actor, **changes)


def _owners(company: Company) -> list[Any]:
    return [member.user for member in company.memberships.filter(role=Role.OWNER).select_related("user")]


def _tell_owners(owners: list[Any], company: Company, mail: str, **context: Any) -> None:
    name = "reopen_company" if mail == "company_closed" else "company"
    address = mails.address(reverse(name, kwargs={"slug": company.slug}))
    mails.tell(mail, owners, company=company, address=address, **context)


def _file(company: Company, found: CompanyExport) -> StreamingHttpResponse:
    response = StreamingHttpResponse(exports.pieces(found), content_type="application/zip")
    name = f"{slugify(company.name) or company.slug}-{found.requested_at:%Y-%m-%d}.zip"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Content-Length"] = str(found.size)
    response["Cache-Control"] = "no-store"
    return response
