"""Looking at a page as people with different eyes and screens do: axe in both themes, wide and narrow."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

WIDTHS = (1280, 360)
# Theme → which of axe's rules: the dark theme differs in its colours only, so only these need a second look.
THEMES: dict[str, dict[str, Any]] = {
    "light": {},
    "dark": {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}},
}
# A change of theme or size is drawn a frame later, and what moves has to come to rest first.
DRAWN = """async () => {
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  await frame();
  await frame();
  await Promise.all(document.getAnimations().map((motion) => motion.finished.catch(() => null)));
  await frame();
}"""
_axe = Axe()


def look_at(page: Page, what: str) -> None:
    """Fail if axe finds anything on the page as it stands, or if it is wider than its window, in any variant."""
    before = page.viewport_size
    problems = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        for theme, rules in THEMES.items():
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            page.evaluate(DRAWN)
            problems += [f"{what}, {width} px, {theme}: {problem}" for problem in _problems(page, rules)]
    page.emulate_media(color_scheme=None, reduced_motion=None)
    if before:
        page.set_viewport_size(before)
    assert not problems, "\n".join(problems)


def _problems(page: Page, rules: dict[str, Any]) -> list[str]:
    found = []
    for violation in _axe.run(page, options=rules).response["violations"]:
        places = [" ".join(map(str, node["target"])) for node in violation["nodes"]]
        detail = violation["nodes"][0].get("failureSummary", "").replace("\n", " ")
        found.append(f"{violation['id']} ({violation['impact']}): {'; '.join(places[:5])}: {detail}")
    excess = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    if excess > 0:
        found.append(f"wider than the window by {excess} px")
    return found
