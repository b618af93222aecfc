"""No page says anything past gettext: every page, with example data, in a language that puts brackets around what it
translates. tests/portal/test_languages.py reads templates and code; this one sees what they put together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from zoneinfo import available_timezones

import pytest
from django.conf import settings
from django.test import Client

from keys.models import Key, ManagementToken, McpServer, ServerCredential
from keys.snippets import Connection, snippets
from keys.webhooks.models import Endpoint
from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.companies.models import Company
from portal.incidents.models import Incident, IncidentNote
from portal.management import example_data
from portal.management.commands import demo
from portal.management.screens import pages
from portal.ui import mail_examples
from tests.portal.marked_language import CODE, marked_language, past_gettext

# The documents are English; the others are for who builds pages, or Django's own.
ENGLISH = re.compile(r"docs|styleguide|mails|admin$")
# Names and identifiers are the same in every language: of us, files, tools, events, fields, cards.
SAME = re.compile(
    r"\b(Latchkey|English|Esperanto|UTC|OpenAPI|TypeScript|JSON|CSV|POST|Visa)\b|https?://\S+|[~.]?[\w-]*/[\w/ .-]+|"
    r"\b[\w-]+\.(json|py|ts)\b|\b[a-z]+[.:_][a-z_:*.]+|\b[A-Z_]{4,}\b|\b[a-z_]+$|"
    r"-----BEGIN PUBLIC KEY-----|lk_live_…|\([A-Za-z0-9]{12}\)|\w+@example\.com|mcpServers"
)


def _data() -> Iterator[str]:
    """What people and machines wrote themselves."""
    for rows in (
        Key.objects.values_list("name", "label_text"), ManagementToken.objects.values_list("name"),
        ServerCredential.objects.values_list("name"), Company.objects.values_list("name"),
        User.objects.values_list("name"), McpServer.objects.values_list("name", "title"),
        Endpoint.objects.values_list("description"), AuditEvent.objects.values_list("reason"),
        Incident.objects.values_list("title"), IncidentNote.objects.values_list("text"),
    ):  # fmt: skip
        for row in rows:
            yield from row
            yield from (text.partition(": ")[2] for text in row)  # of a reason, what is somebody's own
    for server in McpServer.objects.all():
        for tool in server.tools:
            yield from (tool.get("title", ""), tool.get("description", ""))
    for snippet in snippets(Connection("stock", "https://example.com/mcp")):
        yield from (snippet.name, *(place.path for place in snippet.places))
    yield from (name.replace("_", " ") for name in available_timezones())
    yield from (str(name).capitalize() for name in settings.PLANS)


@pytest.mark.slow
@pytest.mark.django_db
def test_pages_say_nothing_past_gettext():
    company = example_data.load()
    groups = [
        ("", pages.visitor_pages()), (demo.OWNER["email"], pages.member_pages(company)),
        (demo.STAFF["email"], pages.staff_pages(company)),
    ]  # fmt: skip
    longest_first = sorted(filter(None, set(_data())), key=len, reverse=True)
    known = re.compile(rf"(?<!\w)({'|'.join(map(re.escape, longest_first))})(?!\w)")
    found = []
    with marked_language():
        for email, addresses in groups:
            client = Client(headers={"accept-language": CODE})
            if email:
                client.force_login(User.objects.get(email=email))
            for name, address in addresses:
                if ENGLISH.match(name):
                    continue
                page = client.get(address).content.decode()
                assert f'<html lang="{CODE}"' in page
                found += [
                    f"{name}: {text}"
                    for text in past_gettext(page)
                    if re.search(r"[A-Za-z]{3}", SAME.sub(" ", known.sub(" ", text)))
                ]
    assert not found, "\n".join(found)


# What the examples of mails say of people, keys and the like.
EXAMPLES = re.compile(
    r"Ada Lovelace|Grace Hopper|Charles Babbage|Analytical Engines|Claude Code|GrowERP system|Firefox|Linux|Alarms|"
    r"lk_live_8RkTq2XvBn4d_…|8RkTq2XvBn4d|^platform|Sales assistant|Nightly report|Left in a log|"
    r"Incident of 25 November|\b[A-Z0-9]{4}-[A-Z0-9]{4}\b"
)


def test_mails_say_nothing_past_gettext():
    found = []
    with marked_language():  # once: Django reads its catalogues again after it
        for prefix in mail_examples.prefixes():
            for variant in mail_examples.variants(prefix):
                message = mail_examples.example(prefix, variant, CODE)
                said = "\n".join(past_gettext(f"{message.subject}\n{message.body}"))
                if re.search(r"[A-Za-z]{3}", SAME.sub(" ", EXAMPLES.sub(" ", said))):
                    found.append(f"{prefix} {variant}: {said}")
    assert not found, "\n".join(found)


def test_what_goes_past_gettext_is_found():
    page = '<p title="Bad one">⟦Good <b>words</b> of ⟧Ada⟦ here⟧ <code>not this</code> bad two</p><img alt="⟦good⟧">'
    assert list(past_gettext(page)) == ["Bad one", "Ada", "bad two"]
