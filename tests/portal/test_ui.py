from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path

import pytest
from django import forms
from django.conf import settings
from django.core.paginator import Paginator
from django.forms.renderers import DjangoTemplates, get_default_renderer
from django.http import HttpRequest
from django.template import engines
from django.test import Client, RequestFactory
from django.test.html import parse_html
from django.utils import timezone, translation
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from keys.models import Key
from portal.companies.models import CompanyState
from portal.ui import charts, times
from portal.ui.badges import badge_of
from portal.ui.icons import ICONS
from portal.ui.templatetags import fields, graphs, marks, places
from portal.ui.widgets import Renderer

# Mails are no pages: mail programs read no style sheet.
TEMPLATES = sorted(
    path for path in (settings.BASE_DIR / "templates").rglob("*.html") if path.parent.name not in {"mail", "email"}
)
STATIC = settings.BASE_DIR / "static"


def render(source: str, request: HttpRequest | None = None, **context: object) -> str:
    return engines["django"].from_string(source).render(context, request).strip()


class SampleForm(forms.Form):
    name = forms.CharField(help_text="You will know it by this.")
    note = forms.CharField(required=False, widget=forms.Textarea)
    server = forms.ChoiceField(choices=[("a", "A")])
    lifetime = forms.ChoiceField(choices=[("30", "30 days")], widget=forms.RadioSelect)
    scopes = forms.MultipleChoiceField(choices=[("r", "Read")], widget=forms.CheckboxSelectMultiple)
    agree = forms.BooleanField()
    hidden = forms.CharField(widget=forms.HiddenInput)


# --- What the strict policy asks of every template ---------------------------------------------------------------


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(settings.BASE_DIR / "templates")))
def test_no_template_has_script_or_style_of_its_own(path: Path) -> None:
    text = re.sub(r"{%.*?%}|{{.*?}}|{#.*?#}", "", path.read_text(), flags=re.S)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|hx-on", text)
    # Blocks of data run nothing; the policy lets them be.
    assert not re.search(r"<script(?![^>]*\s(?:src=|type=\"application/json\"))[^>]*>", text)
    assert not re.search(r"""(?:src|href)=["']https?://(?!localhost)""", re.sub(r"<a\s[^>]*>", "", text))


def test_the_style_sheet_and_the_script_name_no_other_host() -> None:
    for path in [STATIC / "css/latchkey.css", STATIC / "js/latchkey.js"]:
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "://" not in text


def test_a_page_weighs_less_than_100_kilobytes() -> None:
    import gzip

    from django.contrib.staticfiles import finders

    htmx = Path(str(finders.find("django_htmx/htmx-2.min.js")))
    texts = [STATIC / "css/latchkey.css", STATIC / "js/latchkey.js", htmx]
    total = sum(len(gzip.compress(path.read_bytes())) for path in texts) + (STATIC / "fonts/inter.woff2").stat().st_size
    assert total < 100_000


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_every_icon_that_a_template_names_exists(path: Path) -> None:
    named = re.findall(r"""{% icon ["']([\w-]+)["']""", path.read_text())
    assert set(named) <= set(ICONS)


def test_every_colour_of_text_is_readable_on_its_ground_in_both_themes() -> None:
    css = (STATIC / "css/latchkey.css").read_text()
    tokens = dict(re.findall(r"--([\w-]+): light-dark\((#\w{6}), #\w{6}\)", css))
    dark = dict(re.findall(r"--([\w-]+): light-dark\(#\w{6}, (#\w{6})\)", css))
    pairs = [(text, ground) for text in ("text", "text-2") for ground in ("bg", "surface", "surface-2")]
    pairs += [(tone, f"{tone}-soft") for tone in ("success", "warning", "danger", "info", "neutral")]
    pairs += [("accent", "bg"), ("accent", "surface"), ("brass", "bg"), ("brass", "surface"), ("text-3", "surface")]
    for theme in (tokens, dark):
        for text, ground in pairs:
            assert _contrast(theme[text], theme[ground]) >= 4.5, (text, ground, theme[text], theme[ground])
        assert _contrast(theme["border-input"], theme["surface"]) >= 3


def _contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    lower, upper = sorted([luminance(one), luminance(other)])
    return (upper + 0.05) / (lower + 0.05)


# --- Small marks ---------------------------------------------------------------------------------------------------


def test_an_icon_is_silent_unless_it_is_named() -> None:
    assert 'aria-hidden="true"' in marks.icon("key")
    assert 'role="img" aria-label="Your &lt;key&gt;"' in marks.icon("key", label="Your <key>")


def test_an_icon_that_does_not_exist_is_loud() -> None:
    with pytest.raises(KeyError):
        marks.icon("no-such-icon")


@pytest.mark.parametrize(
    ("value", "words", "tone"),
    [
        (CompanyState.SUSPENDED, "Suspended", "danger"),
        ("active", "Active", "success"),
        ("VALID", "VALID", "success"),
        ("WRONG_SERVER", "WRONG_SERVER", "danger"),
        ("some_thing", "Some thing", "neutral"),
    ],
)
def test_a_badge_has_words_and_a_tone(value: object, words: str, tone: str) -> None:
    assert badge_of(value) == (words, tone)


def test_a_badge_and_an_avatar_escape_what_they_show() -> None:
    assert "<b>" not in marks.badge("active", label="<b>x</b>")
    assert "<" not in re.sub(r"</?span[^>]*>", "", marks.avatar("<b> <i>"))


def test_an_avatar_shows_the_first_and_the_last_initial() -> None:
    assert ">AL<" in marks.avatar("Ada King Lovelace")
    assert ">?<" in marks.avatar("")


def test_a_time_says_how_far_it_is_and_exactly_when(time_machine: object) -> None:
    now = timezone.now()
    assert ">3\xa0hours ago<" in marks.when(now - timedelta(hours=3, seconds=1))
    assert ">in 2\xa0days<" in marks.when(now + timedelta(days=2, minutes=1))
    assert "just now" in marks.when(now)
    assert f'datetime="{now.isoformat()}"' in marks.when(now, style="exact")
    assert "Never" in marks.when(None)


def test_a_countdown_ends() -> None:
    assert ">ended<" in marks.countdown(timezone.now() - timedelta(seconds=1))
    assert "minutes" in marks.countdown(timezone.now() + timedelta(minutes=30, seconds=1))


@pytest.mark.parametrize(
    ("language", "words"), [("en", "25 Nov"), ("nl", "25 nov"), ("de", "25. Nov"), ("es", "25 nov")]
)
def test_a_day_below_a_chart_is_short_and_in_the_readers_language(language: str, words: str) -> None:
    with translation.override(language):
        assert times.short_day(date(2026, 11, 25)).rstrip(".").lower() == words.lower()


# --- Charts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "top"), [(0, 1), (1, 1), (3, 4), (17, 20), (51, 60), (81, 100), (999, 1000), (2005, 2400)]
)
def test_the_axis_ends_on_a_round_number(value: float, top: int) -> None:
    assert charts.nice_ceiling(value) == top


def test_a_line_stays_in_its_picture() -> None:
    points = charts.line_points([0, 5, 10], 100, 40, 10)
    assert [x for x, _y in points] == [0, 50, 100]
    assert points[0][1] > points[1][1] > points[2][1] >= 0
    assert charts.line_points([], 100, 40, 10) == []


def test_a_small_value_is_still_a_bar_and_zero_is_none() -> None:
    small, zero = charts.bars([1, 0], 100, 40, 10_000)
    assert small.height >= 2
    assert zero.height == 0


def test_a_chart_is_a_table_for_those_who_do_not_see_it() -> None:
    html = graphs.bar_chart([("1 Nov", 4), ("2 <Nov>", 1200)], "Calls by day", "calls")
    assert "<caption>Calls by day (calls)</caption>" in html
    assert '<th scope="row">2 &lt;Nov&gt;</th><td>1,200</td>' in html
    assert html.count("<rect") == 2


def test_a_sparkline_of_nothing_is_flat() -> None:
    assert "chart-base" in graphs.sparkline([0, 0], "Calls")
    assert 'aria-label="Calls: 7 in all, at most 4"' in graphs.sparkline([None, 3, 4], "Calls")


# --- Addresses -----------------------------------------------------------------------------------------------------


def test_a_page_that_does_not_exist_has_no_address() -> None:
    assert places.url_or_none("landing") == "/"
    assert places.url_or_none("no-such-page", "x") is None


def test_a_query_string_keeps_what_is_not_changed() -> None:
    request = RequestFactory().get("/?q=a%26b&page=3")
    assert places.querystring_with({"request": request}, page=4) == "?q=a%26b&page=4"
    assert places.querystring_with({"request": request}, page=None) == "?q=a%26b"


def test_pages_are_counted_and_linked() -> None:
    request = RequestFactory().get("/?q=x")
    page = Paginator(range(45), 20).page(2)
    html = render('{% include "components/pagination.html" with page=page %}', request, page=page)
    assert "21\u201340 of 45" in html
    assert 'href="?q=x&amp;page=1"' in html
    assert 'href="?q=x&amp;page=3"' in html


# --- Forms ---------------------------------------------------------------------------------------------------------


def test_a_field_ties_its_help_and_its_error_to_the_input() -> None:
    html = render('{% include "components/form.html" with form=form only %}', form=SampleForm({"name": ""}))
    assert 'aria-describedby="id_name_helptext id_name_error"' in html
    assert 'aria-invalid="true"' in html
    assert 'id="id_name_error"' in html
    assert 'id="id_name_helptext"' in html


def test_a_widget_keeps_the_class_that_it_is_given() -> None:
    found = render('{% widget form.name class="input-code" %}', form=SampleForm())
    assert 'class="input input-code"' in found


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Change your e-mail address", 'Change your <span class="nowrap">e-mail</span> address'),
        ("Wijzig je e-mailadres", 'Wijzig je <span class="nowrap">e-mailadres</span>'),
        ("E-Mail-Adresse ändern", '<span class="nowrap">E-Mail</span>-Adresse ändern'),
        ("Cambiar su dirección de correo", "Cambiar su dirección de correo"),
        ("<b> e-mail", '&lt;b&gt; <span class="nowrap">e-mail</span>'),
    ],
)
def test_no_line_ends_within_e_mail(text: str, shown: str) -> None:
    assert render("{{ text|unbroken }}", text=text) == shown


def test_markup_around_e_mail_stays() -> None:
    shown = render('{% filter unbroken %}<a href="/e-mail/">e-mail</a>{% endfilter %}')
    assert shown == '<a href="/e-mail/"><span class="nowrap">e-mail</span></a>'


def test_every_kind_of_widget_has_its_markup() -> None:
    form = SampleForm()
    kinds = {name: fields.widget_kind(form[name]) for name in form.fields}
    assert kinds == {
        "name": "input",
        "note": "textarea",
        "server": "select",
        "lifetime": "radio",
        "scopes": "checks",
        "agree": "checkbox",
        "hidden": "hidden",
    }
    html = render('{% include "components/form.html" with form=form only %}', form=form)
    assert html.count("<fieldset") == 2
    assert html.count("optional") == 2  # the class and the word, of the one field that may stay empty
    assert 'type="hidden" name="hidden"' in html


def test_a_form_says_what_is_wrong_with_all_of_it() -> None:
    form = SampleForm({"name": "x"})
    form.add_error(None, "This name is <taken>.")
    html = render('{% include "components/form.html" with form=form only %}', form=form)
    assert "This name is &lt;taken&gt;." in html
    assert 'role="alert"' in html


# --- Boxes ---------------------------------------------------------------------------------------------------------


def test_a_box_escapes_values_and_keeps_markup() -> None:
    html = render("{% card title=name %}<p>{{ name }}</p>{% endcard %}", name="<x>")
    assert "<p>&lt;x&gt;</p>" in html
    assert "<x>" not in html


def test_tabs_are_a_group_of_radio_buttons_with_one_checked() -> None:
    html = render(
        '{% tabs label="Client" %}{% tab "c" "a" "A" checked=True %}1{% endtab %}'
        '{% tab "c" "b" "B" %}2{% endtab %}{% endtabs %}'
    )
    assert re.findall(r'type="radio" name="tab-c" id="(tab-c-\w)" value="\w"( checked)?', html) == [
        ("tab-c-a", " checked"),
        ("tab-c-b", ""),
    ]
    assert 'for="tab-c-a"' in html


def test_a_secret_can_be_copied_by_hand() -> None:
    html = render('{% include "components/secret.html" with value="lk_test_x" only %}')
    assert ">lk_test_x</code>" in html
    assert re.search(r"<button[^>]*data-copy-from[^>]*hidden", html)


# --- Layouts -------------------------------------------------------------------------------------------------------


def test_the_sidebar_shows_what_the_role_may_open(owner_client: Client, colleague_client: Client, key: Key) -> None:
    address = f"/c/{key.company.slug}/keys/"
    seen_by_owner = owner_client.get(address).content.decode()
    seen_by_developer = colleague_client.get(address).content.decode()
    audit = f'href="/c/{key.company.slug}/audit/"'
    assert audit in seen_by_owner
    assert audit not in seen_by_developer
    assert f'href="/c/{key.company.slug}/team/"' in seen_by_developer


def test_the_sidebar_marks_the_room_of_the_page(owner_client: Client, key: Key) -> None:
    html = owner_client.get(f"/c/{key.company.slug}/keys/{key.pk}/").content.decode()
    current = re.findall(r'<a href="([^"]+)" aria-current="page">', html)
    assert set(current) == {f"/c/{key.company.slug}/keys/"}


def test_the_switcher_lists_own_companies_only(owner_client: Client, key: Key, other_company: object) -> None:
    html = owner_client.get(f"/c/{key.company.slug}/keys/").content.decode()
    assert str(key.company) in html
    assert str(other_company) not in html


def test_select_boxes_are_written_as_django_writes_them():
    """With groups, with what has to be escaped, chosen or not, and with attributes that have no value."""
    choices = [("", "Any"), ("Größe <&>", [(1, 'One "1"'), (2, gettext_lazy("Keys"))]), ("x'", SafeString("<b>"))]
    for value, attributes in ((None, {}), (2, {"class": 'a "b"', "required": True, "disabled": False}), ("x'", {})):
        select = forms.Select(choices=choices)
        ours = select.render("name", value, attributes, renderer=Renderer())
        assert parse_html(ours) == parse_html(select.render("name", value, attributes, renderer=DjangoTemplates()))
    assert isinstance(get_default_renderer(), Renderer)
