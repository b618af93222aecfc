"""A camera for pages: each in every width and theme."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from playwright.sync_api import Page

WIDTHS = {"wide": (1280, 800), "narrow": (360, 740)}
Theme = Literal["light", "dark"]
THEMES: Final[tuple[Theme, ...]] = ("light", "dark")
PAINTED = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 60))))"


class Camera:
    """Takes one page in every width and theme."""

    def __init__(self, folder: Path, chosen: set[str] | None, only: list[str] | None = None) -> None:
        self.folder, self.chosen, self.only = folder, chosen, only or ["*"]
        self.taken: list[str] = []

    def wants(self, *names: str) -> bool:
        """Whether a picture of any of these pages is to be taken: the way to the others need not be walked."""
        return any(self._pictures(name) for name in names)

    def take(self, page: Page, name: str) -> None:
        """`page` as it stands, as NAME-WIDTH-THEME.png."""
        for width, theme in self._pictures(name):
            across, down = WIDTHS[width]
            page.set_viewport_size({"width": across, "height": down})
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            page.evaluate("scrollTo(0, 0)")  # else what sticks to the window stands in the middle of the page
            page.evaluate(PAINTED)
            picture = f"{name}-{width}-{theme}"
            page.screenshot(path=self.folder / f"{picture}.png", full_page=self.chosen is None)
            self.taken.append(picture)
        page.set_viewport_size({"width": 1280, "height": 800})

    def _pictures(self, name: str) -> list[tuple[str, Theme]]:
        if not any(fnmatchcase(name, pattern) for pattern in self.only):
            return []
        every: list[tuple[str, Theme]] = [(width, theme) for width in WIDTHS for theme in THEMES]
        return [each for each in every if self.chosen is None or "-".join([name, *each]) in self.chosen]
