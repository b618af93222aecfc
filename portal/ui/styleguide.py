"""What the style guide shows: a form with every widget, and made-up values for the components."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from django import forms
from django.core.paginator import Paginator
from django.utils import timezone

from portal.ui.badges import BADGES
from portal.ui.icons import ICONS

ROLES = ["owner", "admin", "developer", "viewer", "staff"]
SCOPES = [
    ("tools:read", "Read-only tools"),
    ("tools:*", "All tools"),
    ("tool:get_companies", "One tool: get_companies"),
]


class SampleForm(forms.Form):
    """One field for each kind of widget."""

    name = forms.CharField(label="Name", help_text="You will know the key by it.")
    email = forms.EmailField(label="E-mail", required=False)
    password = forms.CharField(label="Password", widget=forms.PasswordInput)
    server = forms.ChoiceField(label="MCP server", choices=[("growerp-system", "growerp-system"), ("erp", "ERP")])
    expires = forms.DateField(label="Expires", widget=forms.DateInput(attrs={"type": "date"}), required=False)
    note = forms.CharField(label="Note", widget=forms.Textarea(attrs={"rows": 3}), required=False)
    lifetime = forms.ChoiceField(
        label="Lifetime",
        choices=[("30", "30 days"), ("90", "90 days"), ("never", "Never")],
        widget=forms.RadioSelect,
        initial="90",
    )
    scopes = forms.MultipleChoiceField(label="Scopes", choices=SCOPES, widget=forms.CheckboxSelectMultiple)
    agree = forms.BooleanField(label="I have copied the key", help_text="It is not shown again.")


class FixedForm(forms.Form):
    """Fields that are not typed in, and one with words before and after it."""

    name = forms.CharField(label="Read only", initial="growerp-system", disabled=True)
    address = forms.CharField(label="Address", initial="mcp.example.com")
    plan = forms.ChoiceField(
        label="Plan", choices=[("standard", "Standard"), ("plus", "Plus")], widget=forms.RadioSelect, initial="plus"
    )


COLOURS = [
    "bg", "surface", "surface-2", "surface-3", "border", "border-strong", "text", "text-2", "text-3", "ink", "accent",
    "brass", "success", "warning", "danger", "info",
]  # fmt: skip


def _event(icon: str, text: str, note: str, at: datetime, tone: str = "") -> SimpleNamespace:
    return SimpleNamespace(icon=icon, text=text, note=note, at=at, tone=tone)


def examples() -> dict[str, Any]:
    """The context of the style guide."""
    now = timezone.now()
    uses = [3, 8, 5, 12, 18, 9, 4, 16, 22, 19, 30, 26, 8, 6, 21, 33, 28, 31, 12, 9, 25, 38, 41, 36]
    bad = SampleForm({"name": "", "email": "not an address", "lifetime": "7", "server": "erp"})
    bad.add_error(None, "This company already has a key of that name. Choose another.")
    return {
        "form": SampleForm(),
        "bad_form": bad,
        "fixed_form": FixedForm(),
        "colours": COLOURS,
        "icons": sorted(ICONS),
        "states": [value for value in BADGES if value.islower() and value not in ROLES],
        "roles": ROLES,
        "verdicts": ["VALID", "RATE_LIMITED", "REVOKED", "INSUFFICIENT_SCOPE"],
        "tones": ["info", "success", "warning", "danger"],
        "uses": uses,
        "no_uses": [0] * 24,
        "days": [((now - timedelta(days=23 - day)).strftime("%d %b"), count * 37) for day, count in enumerate(uses)],
        "past": now - timedelta(hours=3),
        "future": now + timedelta(hours=23, minutes=59),
        "page": Paginator(range(95), 20).page(2),
        "snippet": '{\n  "mcpServers": {\n    "growerp-system": {\n      "httpUrl": '
        '"http://localhost:8080/rest/s1/mcp/protocol",\n      "headers": {"api_key": "lk_test_…"}\n    }\n  }\n}',
        "events": [
            _event("key", "Ada Lovelace made the key Sales assistant", "For growerp-system", now, "success"),
            _event("refresh", "Ada Lovelace rotated the key Nightly report", "", now - timedelta(hours=2), "info"),
            _event("ban", "Staff revoked the key Old laptop", "Reason: leaked", now - timedelta(days=3), "danger"),
            _event("user", "Grace Hopper joined as developer", "", now - timedelta(days=12)),
        ],
        "keys": [
            ("Sales assistant", "lk_test_8RkTq2XvBn4d_…", "active", now - timedelta(minutes=4)),
            ("Nightly report", "lk_test_Zp03LmQe77Wa_…", "rotating", now - timedelta(hours=5)),
            ("Old laptop", "lk_test_c9XfD1sPo2Ub_…", "revoked", None),
        ],
    }
