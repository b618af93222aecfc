"""What an event says to a person: one plain sentence for every action that is recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from portal.audit.models import AuditEvent
from portal.audit.reasons import reason_in_words
from portal.companies.roles import Role

# What tone an act has in a timeline: made or restored, taken away, refused or at risk, all else.
GOOD, ENDED, WARNING, PLAIN = "success", "danger", "warning", "neutral"
REDACTED: Final = "—"


@dataclass(frozen=True, slots=True)
class Sentence:
    """How an action reads after the name of who did it; `%(target)s` is what it was done to."""

    text: str | Promise
    icon: str = "activity"
    tone: str = PLAIN


SUBJECTS: Final[dict[str, str | Promise]] = {
    "company": _l("Company"),
    "card": _l("Card"),
    "member": _l("Members"),
    "key": _l("Keys"),
    "key_policy": _l("Rules for keys"),
    "connection": _l("Connections"),
    "server": _l("MCP servers"),
    "credential": _l("Server credentials"),
    "token": _l("Management tokens"),
    "webhook": _l("Webhooks"),
    "account": _l("Accounts"),
    "audit": _l("Audit record"),
    "job": _l("Jobs"),
    "incident": _l("Incidents"),
    "revocation": _l("Revocations by rule"),
    "staff": _l("Staff"),
    "leak": _l("Leaks"),
    "review": _l("Access reviews"),
}

# What a sentence calls the fields that were changed.
FIELDS: Final[dict[str, str | Promise]] = {
    "name": _l("name"),
    "title": _l("title"),
    "labels": _l("labels"),
    "scopes": _l("tools that it may use"),
    "allowed_ips": _l("allowed addresses"),
    "per_minute": _l("calls a minute"),
    "per_month": _l("calls a month"),
    "default_days": _l("usual lifetime"),
    "longest_days": _l("longest lifetime"),
    "makers": _l("who may create keys"),
    "url": _l("address"),
    "alternate_urls": _l("other addresses"),
    "tools": _l("tools"),
}

SENTENCES: Final[dict[str, Sentence]] = {
    "company:created": Sentence(_l("created the company %(target)s"), "building", GOOD),
    "company:activated": Sentence(_l("activated the company %(target)s"), "check", GOOD),
    "company:updated": Sentence(_l("changed the company %(target)s"), "settings"),
    "company:plan_changed": Sentence(_l("gave %(target)s the plan %(plan)s instead of %(old_plan)s"), "settings"),
    "company:suspended": Sentence(_l("suspended the company %(target)s"), "alert", ENDED),
    "company:reactivated": Sentence(_l("reactivated the company %(target)s"), "check", GOOD),
    "company:closed": Sentence(_l("closed the company %(target)s"), "x", ENDED),
    "company:reopened": Sentence(_l("opened the company %(target)s again"), "unlock", GOOD),
    "company:finalised": Sentence(_l("ended the closed company: its time to come back is over"), "x", ENDED),
    "company:transferred": Sentence(_l("handed the company over to %(target)s"), "users"),
    "company:export_requested": Sentence(_l("asked for an export of the company's data"), "download"),
    "company:export_downloaded": Sentence(_l("downloaded the export of %(target)s"), "download", WARNING),
    "card:confirmed": Sentence(_l("confirmed the card %(target)s"), "card", GOOD),
    "card:replaced": Sentence(_l("replaced the card by %(target)s"), "card"),
    "card:declined": Sentence(_l("tried a card that was declined"), "card", WARNING),
    "member:added": Sentence(_l("added %(target)s as %(role)s"), "users", GOOD),
    "member:role_changed": Sentence(_l("made %(target)s %(role)s instead of %(old_role)s"), "users"),
    "member:removed": Sentence(_l("removed %(target)s from the company"), "users", ENDED),
    "member:left": Sentence(_l("left the company"), "users", ENDED),
    "member:joined": Sentence(_l("joined as %(role)s, by invitation"), "users", GOOD),
    "member:invited": Sentence(_l("invited %(target)s as %(role)s"), "mail"),
    "member:invitation_resent": Sentence(_l("sent the invitation of %(target)s again"), "mail"),
    "member:invitation_withdrawn": Sentence(_l("withdrew the invitation of %(target)s"), "mail", ENDED),
    "key:created": Sentence(_l("created the key %(target)s"), "key", GOOD),
    "key:rotated": Sentence(_l("rotated the key %(target)s"), "refresh"),
    "key:overlap_ended": Sentence(_l("ended the overlap of the old value of %(target)s"), "refresh", ENDED),
    "key:updated": Sentence(_l("changed the key %(target)s: %(fields)s"), "edit"),
    "key:revoked": Sentence(_l("revoked the key %(target)s"), "ban", ENDED),
    "key:handed_over": Sentence(_l("handed the key %(target)s over to another member"), "key"),
    "key:viewed_by_staff": Sentence(_l("looked at the key %(target)s"), "eye"),
    "connection:viewed_by_staff": Sentence(_l("looked at the connection of %(target)s"), "eye"),
    "token:viewed_by_staff": Sentence(_l("looked at the management token %(target)s"), "eye"),
    "connection:approved": Sentence(_l("let %(target)s connect"), "plug", GOOD),
    "connection:machine_created": Sentence(_l("made the machine client %(target)s"), "server", GOOD),
    "connection:revoked": Sentence(_l("revoked the connection of %(target)s"), "ban", ENDED),
    "connection:signed_out": Sentence(_l("signed out: %(target)s gave its tokens back"), "plug", ENDED),
    "connection:tokens_ended": Sentence(_l("ended the tokens of %(target)s"), "alert", WARNING),
    "key_policy:updated": Sentence(_l("changed the rules for new keys: %(fields)s"), "settings"),
    "server:registered": Sentence(_l("registered the MCP server %(target)s"), "server", GOOD),
    "server:updated": Sentence(_l("changed the MCP server %(target)s: %(fields)s"), "server"),
    "server:stopped": Sentence(_l("stopped the MCP server %(target)s"), "ban", ENDED),
    "server:resumed": Sentence(_l("resumed the MCP server %(target)s"), "server", GOOD),
    "credential:created": Sentence(_l("created the server credential %(target)s"), "lock", GOOD),
    "credential:rotated": Sentence(_l("rotated the server credential %(target)s"), "refresh"),
    "credential:revoked": Sentence(_l("revoked the server credential %(target)s"), "ban", ENDED),
    "token:created": Sentence(_l("created the management token %(target)s"), "terminal", GOOD),
    "token:revoked": Sentence(_l("revoked the management token %(target)s"), "terminal", ENDED),
    "webhook:created": Sentence(_l("added the webhook %(target)s"), "webhook", GOOD),
    "webhook:updated": Sentence(_l("changed the webhook %(target)s"), "webhook"),
    "webhook:enabled": Sentence(_l("switched on the webhook %(target)s"), "webhook", GOOD),
    "webhook:disabled": Sentence(_l("switched off the webhook %(target)s"), "webhook", WARNING),
    "webhook:secret_rotated": Sentence(_l("replaced the secret of the webhook %(target)s"), "refresh"),
    "webhook:deleted": Sentence(_l("deleted the webhook %(target)s"), "webhook", ENDED),
    "account:created": Sentence(_l("created the account %(target)s"), "user", GOOD),
    "account:signed_in": Sentence(_l("signed in"), "user"),
    "account:password_changed": Sentence(_l("changed the password of %(target)s"), "lock"),
    "account:password_reset": Sentence(_l("reset the password of %(target)s"), "lock"),
    "account:email_changed": Sentence(_l("changed the e-mail address of %(target)s"), "mail"),
    "account:name_changed": Sentence(_l("changed the name of %(target)s"), "user"),
    "account:updated": Sentence(_l("changed the account %(target)s"), "user"),
    "account:sessions_ended": Sentence(_l("ended other sessions of %(target)s"), "user", ENDED),
    "account:factor_added": Sentence(_l("added a second factor to %(target)s"), "shield", GOOD),
    "account:factor_removed": Sentence(_l("removed a second factor from %(target)s"), "shield", WARNING),
    "account:recovery_code_used": Sentence(_l("used a recovery code of %(target)s"), "shield", WARNING),
    "account:erased": Sentence(_l("erased the personal data of %(target)s"), "trash", ENDED),
    "audit:fault_found": Sentence(_l("found that the chain %(target)s does not verify"), "alert", WARNING),
    "audit:exported": Sentence(_l("exported the audit record as %(format)s"), "download"),
    "leak:reported": Sentence(_l("reported %(target)s as leaked"), "alert", WARNING),
    "leak:rule_changed": Sentence(_l("changed what happens to leaked tokens of %(target)s"), "settings"),
    "review:approved": Sentence(_l("approved the access review of %(target)s"), "check", GOOD),
    "job:replayed": Sentence(_l("ran the failed task %(target)s again"), "refresh"),
    "job:dismissed": Sentence(_l("dismissed the failure of the task %(target)s"), "check"),
    "incident:opened": Sentence(_l("opened the incident %(target)s"), "alert", WARNING),
    "incident:noted": Sentence(_l("wrote a note on the incident %(target)s"), "edit"),
    "incident:notices_asked": Sentence(_l("asked to tell the owners affected by %(target)s"), "mail"),
    "incident:exported": Sentence(_l("exported the incident %(target)s as %(format)s"), "download"),
    "incident:closed": Sentence(_l("closed the incident %(target)s"), "check", GOOD),
    "incident:reopened": Sentence(_l("reopened the incident %(target)s"), "alert", WARNING),
    "revocation:requested": Sentence(_l("asked for approval of a revocation by rule: %(target)s"), "eye"),
    "revocation:approved": Sentence(_l("approved a revocation by rule: %(target)s"), "check", WARNING),
    "revocation:refused": Sentence(_l("refused a revocation by rule: %(target)s"), "x"),
    "revocation:started": Sentence(_l("started a revocation by rule: %(target)s"), "ban", ENDED),
    "revocation:stopped": Sentence(_l("stopped a revocation by rule: %(target)s"), "pause", WARNING),
    "revocation:finished": Sentence(_l("finished a revocation by rule: %(target)s"), "check", ENDED),
    "staff:role_changed": Sentence(_l("made %(target)s %(role)s of the staff"), "shield", WARNING),
    "staff:role_removed": Sentence(_l("took the staff role %(old_role)s from %(target)s"), "shield", ENDED),
}  # fmt: skip


def known(action: str) -> Sentence:
    """The sentence of `action`; one that is not listed reads as its own words: `key:frozen` as “key: frozen”."""
    if found := SENTENCES.get(action):
        return found
    words = action.replace("%", "").replace(":", ": ").replace("_", " ")
    return Sentence(f"{words}: %(target)s")


def who(event: AuditEvent) -> str:
    """The name of who acted, without the address: “Ada Lovelace”; erased names read as what they were."""
    label = event.actor_label.partition(" <")[0]
    return label or str(event.get_actor_kind_display())


def what(event: AuditEvent) -> str:
    """The name of what it was done to; of a person without the address."""
    label = event.target_label.partition(" <")[0] if event.target_kind == "user" else event.target_label
    return label or event.target_id or REDACTED


def sentence(event: AuditEvent, link: Callable[[AuditEvent], str | None] | None = None) -> SafeString:
    """What was done, as HTML without the name of who did it; `link` gives the address of its target's page."""
    label = format_html("<bdi>{}</bdi>", what(event))
    if link and (address := link(event)):
        label = format_html('<a href="{}">{}</a>', address, label)
    values = {name: escape(value) for name, value in _values(event).items()}
    values["target"] = format_html("<strong>{}</strong>", label)
    return mark_safe(str(known(event.action).text) % values)  # noqa: S308  (every value is escaped above)


@dataclass(frozen=True, slots=True)
class Line:
    """An event as templates/components/timeline.html shows it."""

    event: AuditEvent
    text: SafeString
    note: str
    at: datetime
    icon: str
    tone: str
    chain_label: str = ""


def line(event: AuditEvent, link: Callable[[AuditEvent], str | None] | None = None, chain_label: str = "") -> Line:
    """The event as a line of a timeline: who did what, and the reason if one was given."""
    entry = known(event.action)
    text = format_html('<strong class="who"><bdi>{}</bdi></strong> {}', who(event), sentence(event, link))
    return Line(event, text, reason_in_words(event.reason), event.at, entry.icon, entry.tone, chain_label)


def plain_sentence(event: AuditEvent) -> str:
    """The whole event as text: “Ada Lovelace revoked the key CI”."""
    values = _values(event) | {"target": what(event)}
    return f"{who(event)} {str(known(event.action).text) % values}"


def action_choices() -> list[tuple[str, Any]]:
    """Every subject and its actions, for a select box: all of a subject first, then each of its actions."""
    return _action_choices(get_language() or "")


@cache
def _action_choices(_language: str) -> list[tuple[str, Any]]:
    """Once a language: a hundred sentences looked up are a tenth of the page's time."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for action, entry in SENTENCES.items():
        subject = action.partition(":")[0]
        values = dict.fromkeys(("role", "old_role", "fields", "format", "plan", "old_plan"), "…") | {"target": "…"}
        text = (str(entry.text) % values).rstrip(": …")
        groups.setdefault(subject, []).append((action, text[:1].upper() + text[1:]))
    return [
        (str(SUBJECTS[subject]), [(subject, _("%(subject)s: everything") % {"subject": SUBJECTS[subject]}), *actions])
        for subject, actions in groups.items()
    ]


class _Facts(dict[str, str]):
    """Facts for a sentence; one that the event does not carry reads as a dash."""

    def __missing__(self, name: str) -> str:
        return REDACTED


def _values(event: AuditEvent) -> _Facts:
    data = event.data if isinstance(event.data, dict) else {}
    fields = data.get("fields") or sorted(set(data) - {"server"})
    return _Facts(
        role=_role(data.get("role")),
        old_role=_role(data.get("old_role")),
        fields=", ".join(str(FIELDS.get(field, str(field).replace("_", " "))) for field in fields) or REDACTED,
        format=str(data.get("format", REDACTED)).upper(),
        plan=str(data.get("plan", REDACTED)).capitalize(),
        old_plan=str(data.get("old_plan", REDACTED)).capitalize(),
    )


def _role(value: Any) -> str:
    return str(Role(value).label).lower() if value in Role.values else str(value or REDACTED)
