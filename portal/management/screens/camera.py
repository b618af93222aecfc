"""A camera for pages: each in every width and theme."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from playwright.sync_api import Page

WIDTHS = {"wide": (1280, 800), "narrow": (360, 740)}
THEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")
PAINTED = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 60))))"


class Camera:
    """Takes one page in every width and theme."""

    def __init__(self, folder: Path, chosen: set[str] | None) -> None:
        self.folder, self.chosen = folder, chosen
        self.taken: list[str] = []

    def take(self, page: Page, name: str) -> None:
        """`page` as it stands, as NAME-WIDTH-THEME.png."""
        for width, (across, down) in WIDTHS.items():
            page.set_viewport_size({"width": across, "height": down})
            for theme in THEMES:
                picture = f"{name}-{width}-{theme}"
                if self.chosen is None or picture in self.chosen:
                    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
                    page.evaluate("scrollTo(0, 0)")  # else what sticks to the window stands in the middle of the page
                    page.evaluate(PAINTED)
                    page.screenshot(path=self.folder / f"{picture}.png", full_page=self.chosen is None)
                    self.taken.append(picture)
        page.set_viewport_size({"width": 1280, "height": 800})
