"""Languages: what is offered is complete, every text goes through gettext, and a person's choice is kept."""

from __future__ import annotations

import ast
import re
from datetime import UTC, datetime
from pathlib import Path

import polib
import pytest
from django.conf import settings
from django.test import Client, override_settings
from django.urls import reverse
from django.utils import translation

from portal.ui import times
from tests.portal import catalogues

ROOT = Path(settings.BASE_DIR)
FOLDERS = sorted(path.parent for path in (ROOT / "locale").glob("*/LC_MESSAGES/django.po"))
TWO = [("en", "English"), ("nl", "Nederlands")]

# --- Catalogues ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", [code for code in settings.OFFERED if code != "en"])
def test_a_language_that_is_offered_is_complete(language):
    folder = ROOT / "locale" / language / "LC_MESSAGES"
    assert catalogues.faults(folder / "django.po", folder / "django.mo", catalogues.texts()) == []


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.parent.name)
def test_a_catalogue_holds_no_mistake(folder):
    assert catalogues.faults(folder / "django.po", folder / "django.mo") == []


def test_the_texts_are_found_in_code_and_templates():
    found = catalogues.texts()
    assert len(found) > 900
    assert {"Sign in", "That browser is signed out.", "%(count)d day ago", "Clients that were tried"} <= found


@pytest.fixture
def written(tmp_path):
    """Writes a catalogue and compiles it; gives the two files."""

    def write(*entries, compiled=None):
        po = polib.POFile()
        po.extend(entries)
        po.save(str(tmp_path / "django.po"))
        other = polib.POFile()
        other.extend(entries if compiled is None else compiled)
        other.save_as_mofile(str(tmp_path / "django.mo"))
        return tmp_path / "django.po", tmp_path / "django.mo"

    return write


def test_a_good_catalogue_has_no_fault(written):
    plural = polib.POEntry(
        msgid="%(n)s key", msgid_plural="%(n)s keys", msgstr_plural={0: "één sleutel", 1: "%(n)s sleutels"}
    )
    files = written(polib.POEntry(msgid="Hello %(name)s", msgstr="Hallo %(name)s"), plural)
    assert len(catalogues.faults(*files, {"Hello %(name)s"})) == 1  # “één” leaves out what both forms name
    plural.msgstr_plural[0] = "%(n)s sleutel"
    assert catalogues.faults(*written(plural), {"%(n)s key"}) == []


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (polib.POEntry(msgid="Hello %(name)s", msgstr="Hallo %(naam)s"), "other placeholders"),
        (polib.POEntry(msgid="Hello", msgstr="Hallo", flags=["fuzzy"]), "fuzzy"),
        (polib.POEntry(msgid="Hello", msgstr=""), "not translated"),
    ],
)
def test_what_is_wrong_in_a_catalogue_is_named(written, entry, said):
    assert any(said in fault for fault in catalogues.faults(*written(entry), {entry.msgid}))


def test_a_catalogue_that_was_not_compiled_again_is_named(written):
    new, old = polib.POEntry(msgid="Hello", msgstr="Hallo"), polib.POEntry(msgid="Hello", msgstr="Dag")
    assert catalogues.faults(*written(new, compiled=[old])) == ["not in the .mo: 'Hello'"]


def test_a_text_that_the_catalogue_lacks_is_named(written):
    assert "not in the .po: 'Bye'" in catalogues.faults(*written(polib.POEntry(msgid="Hi", msgstr="Hoi")), {"Bye"})


# --- Every text goes through gettext ------------------------------------------------------------------------------

PAGES = sorted(
    path
    for path in (ROOT / "templates").rglob("*")
    # Only for those who build pages; Swagger's page is a program's.
    if path.suffix in {".html", ".txt"} and not {"styleguide", "drf_spectacular", "admin"} & set(path.parts)
)
TAG = re.compile(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", re.DOTALL)
SHOWN = re.compile(r"""(?:title|alt|placeholder|aria-label|data-label)=["']([^"'{%]*[A-Za-z]{3}[^"'{%]*)["']""")
# Names and words of the protocol are the same in every language.
SAME = re.compile(
    r"~/\S+|Latchkey|CSV|JSON|YAML|POST|GET|webhook-id|get_companies|tools:read|lk_live\S*|GrowERP|MCP|OAuth|HTTP|API|URL|"
    r"python3|manage\.py|narrow(-wide|-middle)?|public|docs|app|staff|/api\S*|&\w+;|PowerShell|WebAuthn|TOTP|Slack|utf-8|UTC"
)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT / "templates")))
def test_a_template_says_nothing_past_gettext(path):
    text = path.read_text()
    text = re.sub(r"\{%\s*comment\b.*?endcomment\s*%\}", "", text, flags=re.DOTALL)
    text = re.sub(r"\{%\s*blocktrans(late)?\b.*?endblocktrans(late)?\s*%\}", " ", text, flags=re.DOTALL)
    text = re.sub(r"<!doctype[^>]*>|<(style|script|svg|code|pre)\b.*?</\1>", " ", text, flags=re.DOTALL | re.IGNORECASE)
    attributes = [found for found in SHOWN.findall(text) if SAME.sub("", found).strip(" .:")]
    words = SAME.sub(" ", re.sub(r"<[^>]*>", " ", TAG.sub(" ", text), flags=re.DOTALL))
    assert attributes == []
    assert re.findall(r"[A-Za-z]{3,}[A-Za-z ,.]*", words) == []


def _past_gettext(tree: ast.AST):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            owner = getattr(getattr(node.func, "value", None), "id", "")
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if owner == "messages" and name in {"success", "error", "info", "warning"}:
                yield from node.args[1:2]
            elif name in {"ValidationError", "PermissionDenied"}:
                yield from node.args[:1]
            elif name == "add_error":
                yield from node.args[1:2]
            elif name.endswith("Field") or name in {"Card", "Entry", "Way"}:
                yield from (each.value for each in node.keywords if each.arg in {"label", "help_text", "title", "text"})
        elif isinstance(node, ast.ClassDef) and any(getattr(base, "attr", "") == "TextChoices" for base in node.bases):
            values = [each.value for each in node.body if isinstance(each, ast.Assign)]
            yield from (value.elts[-1] for value in values if isinstance(value, ast.Tuple))


CODE = sorted(
    path
    for room in ("portal", "keys")
    for path in (ROOT / room).rglob("*.py")
    # Machines are told in English; models' help is for Django's admin.
    if not catalogues.NOT_PAGES & set(path.parts) and "api" not in path.parts
    and path.name not in {"models.py", "styleguide.py", "password_login.py"}
)  # fmt: skip


def test_code_says_nothing_past_gettext():
    found = []
    for path in [*CODE, ROOT / "portal/audit/models.py"]:
        for node in _past_gettext(ast.parse(path.read_text())):
            plain = isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))
            if plain and not (isinstance(node, ast.Constant) and not node.value.strip()):
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    known = {"portal/ui/views.py"}  # the style guide's two example messages
    assert [each for each in found if each.split(":")[0] not in known and "audit/models.py" not in each] == []


# --- Choosing -----------------------------------------------------------------------------------------------------


def test_english_alone_offers_no_choice(client, db):
    assert [code for code, _name in settings.LANGUAGES] == settings.OFFERED
    if settings.OFFERED == ["en"]:
        assert 'action="/language/"' not in client.get("/").content.decode()


@override_settings(LANGUAGES=TWO)
def test_the_choice_stands_in_the_footer_and_is_kept_in_a_cookie(client, db):
    page = client.get("/docs/").content.decode()
    assert 'action="/language/"' in page and ">Nederlands</button>" in page
    answer = client.post(reverse("language"), {"language": "nl", "next": "/docs/"})
    assert answer["Location"] == "/docs/" and answer.cookies[settings.LANGUAGE_COOKIE_NAME].value == "nl"
    assert '<html lang="nl"' in client.get("/").content.decode()
    client.post(reverse("language"), {"language": "", "next": "/"})
    assert '<html lang="en"' in client.get("/").content.decode()


@override_settings(LANGUAGES=TWO)
def test_a_persons_choice_goes_with_them_to_another_browser(owner_client, owner, company):
    owner_client.post(reverse("language"), {"language": "nl", "next": "/account/"})
    owner.refresh_from_db()
    assert owner.language == "nl"
    elsewhere = Client(headers={"Accept-Language": "en"})
    elsewhere.force_login(owner)
    page = elsewhere.get(reverse("account")).content.decode()
    assert '<html lang="nl"' in page and "selected>Nederlands" in page


@override_settings(LANGUAGES=TWO)
@pytest.mark.parametrize("language", ["de", "nl<script>", "en-us-x" * 9])
def test_a_language_that_is_not_offered_is_not_kept(owner_client, owner, company, language):
    answer = owner_client.post(reverse("language"), {"language": language, "next": "https://evil.example/"})
    owner.refresh_from_db()
    assert owner.language == "" and answer["Location"] == "/"


@override_settings(LANGUAGES=TWO)
def test_a_choice_after_this_response_does_not_leak_into_the_next(owner, company):
    first, second = Client(), Client()
    first.post(reverse("language"), {"language": "nl", "next": "/"})
    assert '<html lang="nl"' in first.get("/").content.decode()
    assert '<html lang="en"' in second.get("/").content.decode()


def test_dates_are_in_the_readers_language():
    moment = datetime(2026, 3, 5, 9, 7, tzinfo=UTC)
    with translation.override("nl"):
        assert times.day(moment) == "5 maart 2026"
    with translation.override("de"):
        assert times.exact(moment).startswith("5. März 2026, ")


@override_settings(LANGUAGES=[*TWO, ("de", "Deutsch"), ("es", "Español")])
def test_each_language_is_offered_in_its_own_words(owner_client, owner, company):
    owner_client.defaults["HTTP_ACCEPT_LANGUAGE"] = "de"
    page = owner_client.get(reverse("account")).content.decode()
    footer = owner_client.get("/docs/").content.decode()
    for name in ("English", "Nederlands", "Deutsch", "Español"):
        assert f">{name}</option>" in page and f">{name}</button>" in footer
