"""The documents of docs/, read once a process; in development again when a file was changed."""

from __future__ import annotations

import posixpath
import re
import textwrap
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final
from urllib.parse import urldefrag

from django.conf import settings
from django.templatetags.static import static
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from portal.help import markdown
from portal.help.menu import GROUPS, INDEX, LABELS

FOLDER: Final = Path(settings.BASE_DIR) / "docs"
# What documents write for "this portal" and "its MCP server"; readers of the portal see the real addresses.
_PORTAL, _MCP = "http://localhost:8000", "http://localhost:8080"
SUMMARY: Final = 150  # characters of a page that the start page shows at most
_README: Final = "README"


@dataclass(frozen=True, slots=True)
class Page:
    """One document: `name` is its place in docs/ without the ending, a folder's README named like the folder."""

    name: str
    document: markdown.Document

    @property
    def title(self) -> str:
        """Its first heading."""
        return self.document.title or self.name

    @property
    def label(self) -> str | Promise:
        """What it is called in the sidebar."""
        return LABELS.get(self.name) or self.title

    @property
    def summary(self) -> str:
        """What it is about, in a line or two: the first sentences of it, or as many words of the first as go in."""
        sentences = re.split(r"(?<=[.:!?]) ", self.document.lead)
        found = sentences[:1]
        for sentence in sentences[1:]:
            if len(" ".join(found)) + len(sentence) >= SUMMARY:
                break
            found.append(sentence)
        if len(found) > 1 and found[-1].endswith(":"):  # it leads to what is not shown here
            found.pop()
        return textwrap.shorten(re.sub(":$", ".", " ".join(found)), SUMMARY, placeholder="…")

    @property
    def url(self) -> str:
        """Its address in the portal."""
        return reverse("help:page", kwargs={"name": self.name})

    @property
    def contents(self) -> list[markdown.Section]:
        """Its headings of the second and third level, for its table of contents."""
        return [section for section in self.document.sections if section.level in {2, 3}]


@dataclass(frozen=True, slots=True)
class MenuGroup:
    """A group of the sidebar with the pages in it."""

    title: str | Promise
    pages: list[Page]


def pages() -> dict[str, Page]:
    """Every document by its name."""
    return _read(() if settings.PRODUCTION else _state())


def page(name: str) -> Page | None:
    """The document `name`, or None."""
    return pages().get(name)


def menu() -> list[MenuGroup]:
    """The sidebar. Pages within a folder (decisions/…) are reached from the folder's own page."""
    known = pages()
    listed = {name for group in GROUPS for name in group.names}
    groups = [MenuGroup(group.title, [known[name] for name in group.names if name in known]) for group in GROUPS]
    groups[-1].pages.extend(found for name, found in known.items() if name not in listed and "/" not in name)
    return [group for group in groups if group.pages]


def _files() -> dict[str, Path]:
    found = {}
    for path in sorted(FOLDER.rglob("*.md")):
        name = path.relative_to(FOLDER).with_suffix("").as_posix()
        if name == INDEX:
            continue
        found[name.removesuffix(f"/{_README}")] = path
    return found


def _state() -> tuple[tuple[str, float], ...]:
    return tuple((name, path.stat().st_mtime) for name, path in _files().items())


@lru_cache(maxsize=1)
def _read(state: tuple[tuple[str, float], ...]) -> dict[str, Page]:
    files = _files()
    return {name: Page(name, _document(path, files)) for name, path in files.items()}


def _document(path: Path, files: dict[str, Path]) -> markdown.Document:
    text = path.read_text(encoding="utf-8").replace(_PORTAL, settings.PORTAL_URL).replace(_MCP, settings.MCP_URL)
    folder = path.parent.relative_to(FOLDER).as_posix()
    names = {file.relative_to(FOLDER).as_posix(): name for name, file in files.items()}

    def link(address: str) -> str | None:
        if re.match(r"[a-z]+://|mailto:|#", address):
            return address
        target, fragment = urldefrag(address)
        place = posixpath.normpath(posixpath.join(folder, target))
        if place == f"{INDEX}.md":
            found = reverse("help:index")
        elif place in names:
            found = reverse("help:page", kwargs={"name": names[place]})
        else:
            return None
        return f"{found}#{fragment}" if fragment else found

    def image(address: str) -> str | None:
        place = posixpath.normpath(posixpath.join(folder, address))
        if not place.startswith("screens/") or not (FOLDER / place).is_file():
            return None
        return static(f"docs/{place.removeprefix('screens/')}")

    return markdown.read(text, link=link, image=image, table_label=_("Table"))
