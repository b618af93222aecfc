"""Looking at a page as people with different eyes and screens do: axe in both themes, wide and narrow."""

from __future__ import annotations

from typing import Any, Literal

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

# Width, theme, and which of axe's rules: colours, which cost it most, differ by theme and not by width. The narrow
# page, which shows other things, has its colours looked at in the dark.
COLOUR_RULES = ["color-contrast", "link-in-text-block"]
COLOURS: dict[str, Any] = {"runOnly": {"type": "rule", "values": COLOUR_RULES}}
ALL_BUT_COLOURS: dict[str, Any] = {"rules": {name: {"enabled": False} for name in COLOUR_RULES}}
VARIANTS: list[tuple[int, Literal["light", "dark"], dict[str, Any]]] = [
    (1280, "light", {}),
    (360, "light", ALL_BUT_COLOURS),
    (360, "dark", COLOURS),
]
# A change of theme or size moves things: they have to come to rest first; what moves for ever, not.
AT_REST = """() => !document.getAnimations().some(
  (motion) => motion.playState === "running" && motion.effect.getComputedTiming().endTime < 2000)"""
VIOLATIONS = """async (options) => {
  const found = await axe.run(document, { resultTypes: ["violations"], ...options });
  return found.violations.map(({ id, impact, nodes }) => ({
    id, impact, places: nodes.map((node) => node.target.join(" ")), why: nodes[0].failureSummary,
  }));
}"""


def look_at(page: Page, what: str) -> None:
    """Fail if axe finds anything on the page as it stands, or if it is wider than its window, in any variant.

    Not for pages of a browser without scripts: axe, a script itself, would never answer there.
    """
    before = page.viewport_size
    page.evaluate(AXE_SCRIPT)
    problems = []
    for width, theme, rules in VARIANTS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        _rest(page)
        found = _problems(page, rules)
        for _again in range(4):  # colours follow the new theme a moment later: what is wrong stays wrong
            if not found:
                break
            _rest(page)
            found = _problems(page, rules)
        problems += [f"{what}, {width} px, {theme}: {problem}" for problem in found]
    page.emulate_media(color_scheme=None, reduced_motion=None)
    if before:
        page.set_viewport_size(before)
    assert not problems, "\n".join(problems)


def _rest(page: Page) -> None:
    """Wait until nothing moves, two seconds at most."""
    for _moment in range(40):
        page.wait_for_timeout(50)
        if page.evaluate(AT_REST):
            break


def _problems(page: Page, rules: dict[str, Any]) -> list[str]:
    found = [
        f"{each['id']} ({each['impact']}): {'; '.join(each['places'][:5])}: {' '.join(each['why'].split())}"
        for each in page.evaluate(VIOLATIONS, rules)
    ]
    excess = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    if excess > 0:
        found.append(f"wider than the window by {excess} px")
    return found
