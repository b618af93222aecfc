"""Forms for MCP servers, their catalogues and credentials: the staff's pages and a company's share them."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, Final

from django import forms
from django.core.validators import URLValidator
from django.utils.translation import gettext_lazy as _

OVERLAPS: Final = [
    ("0", _("None: the old value is refused at once")),
    ("3600", _("1 hour")),
    ("86400", _("24 hours")),
    ("604800", _("7 days")),
]

_is_web = URLValidator(schemes=["http", "https"])


class WebAddressField(forms.URLField):
    """An address with http or https: no MCP client speaks anything else."""

    default_validators = [_is_web]
    default_error_messages = {"invalid": _("Enter an address that begins with https:// or http://.")}


class CredentialForm(forms.Form):
    """A new server credential."""

    name = forms.CharField(
        label=_("Name"), max_length=80, help_text=_("Where it will be kept, such as production or staging.")
    )


class RotateForm(forms.Form):
    """How long the old value of a credential is still accepted."""

    overlap = forms.ChoiceField(
        label=_("Accept the old value for"), choices=OVERLAPS, initial="86400", widget=forms.RadioSelect
    )

    @property
    def overlap_time(self) -> timedelta:
        """The chosen overlap."""
        return timedelta(seconds=int(self.cleaned_data["overlap"]))


class ServerForm(forms.Form):
    """An MCP server's names and addresses."""

    name = forms.RegexField(
        r"^[a-z0-9][a-z0-9_-]*$",
        label=_("Name"),
        max_length=64,
        help_text=_("How AI clients call it in their settings, such as growerp-system."),
        error_messages={"invalid": _("Use lower-case letters, digits, - and _.")},
    )
    title = forms.CharField(
        label=_("Title"), max_length=120, required=False, help_text=_("How pages call it, such as GrowERP.")
    )
    url = WebAddressField(
        label=_("Address"),
        max_length=500,
        assume_scheme="https",
        help_text=_("The address that AI clients use: its OAuth resource identifier."),
    )
    alternate_urls = forms.CharField(
        label=_("Other addresses"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "class": "mono"}),
        help_text=_("Other addresses of the same server, one a line: accepted as its identifier too."),
    )

    def clean_alternate_urls(self) -> list[str]:
        """Each line an address with http or https."""
        lines = [line.strip() for line in self.cleaned_data["alternate_urls"].splitlines() if line.strip()]
        for line in lines:
            try:
                _is_web(line)
            except forms.ValidationError:
                raise forms.ValidationError(_("%(line)s is not an address."), params={"line": line[:80]}) from None
        return list(dict.fromkeys(lines))


class ToolForm(forms.Form):
    """One tool of a catalogue; a row without a name is no tool."""

    name = forms.RegexField(
        r"^[A-Za-z0-9_./-]{1,128}$",
        label=_("Name"),
        required=False,
        error_messages={"invalid": _("Use letters, digits and _ . / - only.")},
    )
    title = forms.CharField(label=_("Title"), required=False, max_length=120)
    description = forms.CharField(label=_("Description"), required=False, max_length=1000)
    read_only = forms.BooleanField(label=_("Changes nothing"), required=False)


class ToolFormSet(forms.BaseFormSet):
    """A catalogue, row by row."""

    def clean(self) -> None:
        """No name twice."""
        names = [form.cleaned_data["name"] for form in self.forms if form.is_valid() and form.cleaned_data.get("name")]
        if twice := {name for name in names if names.count(name) > 1}:
            raise forms.ValidationError(_("%(name)s stands here twice."), params={"name": sorted(twice)[0]})


def tools_of(rows: forms.BaseFormSet) -> list[dict[str, Any]]:
    """The tools of the rows that are filled in and not marked for removal."""
    filled = (form.cleaned_data or {} for form in rows.forms)
    return [
        {name: row[name] for name in ("name", "title", "description", "read_only")}
        for row in filled
        if row.get("name") and not row.get("DELETE")
    ]


ToolRows = forms.formset_factory(ToolForm, formset=ToolFormSet, extra=3, can_delete=True, max_num=500)


class CatalogueForm(forms.Form):
    """A catalogue pasted as JSON: what `tools/list` answers, or the bare list. It takes the place of all rows."""

    catalogue = forms.CharField(
        label=_("Paste a catalogue"),
        required=False,
        max_length=500_000,
        widget=forms.Textarea(attrs={"rows": 6, "class": "mono", "spellcheck": "false"}),
        help_text=_("The server's answer to tools/list, as JSON. It replaces every row above."),
    )

    def clean_catalogue(self) -> list[dict[str, Any]] | None:
        """The tools of the JSON, None if nothing was pasted. A hint `readOnlyHint` is taken over (MCP, tools)."""
        text = self.cleaned_data["catalogue"].strip()
        if not text:
            return None
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            raise forms.ValidationError(_("This is not JSON: paste the whole answer.")) from None
        for name in ("result", "tools"):
            found = found.get(name, found) if isinstance(found, dict) else found
        if not isinstance(found, list) or not all(isinstance(tool, dict) for tool in found):
            raise forms.ValidationError(_("There is no list of tools in this JSON."))
        rows = ToolRows(_posted([_row(tool) for tool in found]))
        if not rows.is_valid():
            faults = [*rows.non_form_errors(), *(f for form in rows for errors in form.errors.values() for f in errors)]
            raise forms.ValidationError(faults[:3])
        return tools_of(rows)


def _row(tool: dict[str, Any]) -> dict[str, str]:
    given = tool.get("annotations")
    notes: dict[str, Any] = given if isinstance(given, dict) else {}
    read_only = tool.get("read_only", notes.get("readOnlyHint", False)) is True
    words = {name: str(tool.get(name) or "") for name in ("name", "title", "description")}
    words["title"] = (words["title"] or str(notes.get("title") or ""))[:120]
    words["description"] = words["description"][:1000]
    return words | ({"read_only": "on"} if read_only else {})


def _posted(rows: list[dict[str, str]]) -> dict[str, str]:
    data = {"form-TOTAL_FORMS": str(len(rows)), "form-INITIAL_FORMS": "0"}
    return data | {f"form-{number}-{name}": value for number, row in enumerate(rows) for name, value in row.items()}
