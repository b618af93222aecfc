"""The texts of the portal and its catalogues, read without GNU gettext: what the code says, what a .po and .mo hold."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import polib
from django.conf import settings
from django.utils.translation.template import templatize

ROOT = Path(settings.BASE_DIR)
# Functions that mark a text; those with two texts have the plural second.
ONE = {"gettext", "gettext_lazy", "gettext_noop", "_", "_l"}
SEVERAL = {"ngettext", "ngettext_lazy"}
WITH_CONTEXT = {"pgettext", "pgettext_lazy"}
PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%[sd]|\{\w*\}")
# What machines are told is not translated; the rest of these folders has no pages.
NOT_PAGES = {"migrations", "tests", "verifier", "mcp", "management"}
_STRING = r"u?((?:'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"))"
_MARKED = re.compile(rf"\b(gettext|ngettext|pgettext|npgettext|_)\(\s*{_STRING}(?:\s*,\s*{_STRING})?")


def texts() -> set[str]:
    """Every text that pages and mails can say."""
    found = set()
    for room in ("portal", "keys"):
        for path in (ROOT / room).rglob("*.py"):
            if not NOT_PAGES & set(path.parts):
                found |= set(_of_python(path.read_text(encoding="utf-8")))
    for path in (ROOT / "templates").rglob("*"):
        if path.suffix in {".html", ".txt"}:
            found |= set(of_template(path.read_text(encoding="utf-8")))
    return found - {""}


def _of_python(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        place = 1 if name in WITH_CONTEXT else 0
        if name in ONE | SEVERAL | WITH_CONTEXT and len(node.args) > place:
            text = node.args[place]
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                yield text.value


def of_template(source: str) -> Iterator[str]:
    """The texts of a template."""
    for match in _MARKED.finditer(templatize(source)):
        context = match[1] in {"pgettext", "npgettext"}
        text = match[3] if context else match[2]
        if text:
            yield ast.literal_eval(text)


def faults(po_path: Path, mo_path: Path, wanted: set[str] | None = None) -> list[str]:
    """What is wrong with a catalogue; with `wanted`, also which of these texts it lacks: it must be complete then."""
    if not mo_path.exists():
        return [f"{mo_path.name} is missing: run make messages"]
    po, mo = polib.pofile(str(po_path)), polib.mofile(str(mo_path))
    found = []
    compiled = {(entry.msgctxt, entry.msgid): entry for entry in mo}
    for entry in (each for each in po if not each.obsolete):
        said = [entry.msgstr] if not entry.msgid_plural else list(entry.msgstr_plural.values())
        if "fuzzy" in entry.flags:
            found.append(f"fuzzy: {entry.msgid!r}")
        if wanted is not None and (not said or not all(said)):
            found.append(f"not translated: {entry.msgid!r}")
        for text in filter(None, said):
            # The singular may leave its number out: “one key”.
            allowed = [set(PLACEHOLDER.findall(each)) for each in (entry.msgid, entry.msgid_plural) if each]
            if set(PLACEHOLDER.findall(text)) not in allowed:
                found.append(f"other placeholders: {entry.msgid!r} → {text!r}")
        twin = compiled.get((entry.msgctxt, entry.msgid))
        usable = "fuzzy" not in entry.flags and entry.translated()
        same = twin and (twin.msgstr, dict(twin.msgstr_plural)) == (entry.msgstr, dict(entry.msgstr_plural))
        if usable and not same:
            found.append(f"not in the .mo: {entry.msgid!r}")
    if wanted is not None:
        held = {entry.msgid for entry in po if not entry.obsolete}
        found += [f"not in the .po: {text!r}" for text in sorted(wanted - held)]
    return found
