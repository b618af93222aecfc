"""What people and machines type, at random: read or refused with the error that is meant, and never anything else."""

from __future__ import annotations

import ipaddress

from hypothesis import example, given
from hypothesis import strategies as st

from keys import addresses, scopes, tokens
from keys.oauth import redirects
from keys.webhooks import outgoing
from keys.webhooks.errors import AddressUnusable
from portal.addresses import normalize_address

ANYTHING = st.text(max_size=300)
# Texts that are nearly right find more than texts that are nothing.
PIECES = st.sampled_from(
    [
        "lk_",
        "live",
        "test",
        "_",
        "AAAAAAAAAAAA",
        "bbbbbbbb",
        "http",
        "https",
        "://",
        "localhost",
        "127.0.0.1",
        "[::1]",
        "[",
        "]",
        ":",
        "@",
        "/",
        "#",
        "?",
        "\\",
        "%00",
        "%2f",
        ";",
        ",",
        "cursor",
        "example.com",
        "tool:",
        "tools:",
        "*",
        "read",
        "10.0.0.0",
        "/8",
        "/33",
        "::",
        "ffff",
        "0x7f",
        "2130706433",
        "xn--",
        "..",
        ".",
        "\u202e",
        "\r\n",
        "\x00",
        " ",
        "é",
    ]
)
NEARLY = st.lists(PIECES, max_size=12).map("".join)
TEXT = ANYTHING | NEARLY


@given(TEXT)
def test_a_token_parses_or_is_malformed(text: str):
    try:
        token = tokens.parse(text)
    except tokens.MalformedToken:
        return
    assert tokens.parse(token.text) == token


@given(st.lists(TEXT, max_size=6))
def test_scopes_are_in_their_usual_form_or_refused(wanted: list[str]):
    try:
        found = scopes.normalize(wanted)
    except scopes.InvalidScope:
        return
    assert scopes.normalize(found) == found
    assert all(scope.isascii() and scope.isprintable() and " " not in scope for scope in found)


@given(st.lists(TEXT, max_size=6), TEXT)
def test_address_ranges_are_networks_or_refused(ranges: list[str], address: str):
    try:
        found = addresses.normalize(ranges)
    except ValueError:
        return
    assert addresses.normalize(found) == found
    permitted = addresses.permits(found, address)
    if found and permitted:
        assert any(ipaddress.ip_address(address) in ipaddress.ip_network(one) for one in found)


@given(st.ip_addresses(), st.lists(st.ip_addresses(), min_size=1, max_size=4))
def test_an_address_is_let_in_by_a_range_that_holds_it_and_by_no_other(address, others):
    ranges = addresses.normalize([f"{other}/{other.max_prefixlen - 3}" for other in others])
    plain = getattr(address, "ipv4_mapped", None) or address
    expected = any(
        plain.version == network.version and plain in network for network in map(ipaddress.ip_network, ranges)
    )
    assert addresses.permits(ranges, str(address)) is expected


@given(TEXT)
def test_a_callers_address_is_one_or_nothing(text: str):
    found = normalize_address(text)
    assert found is None or normalize_address(found) == found


@given(TEXT)
@example("https://a.example;script-src")
@example("https://a.example,default-src")
@example("http://localhost@evil.example/")
@example("http://127.0.0.1.evil.example/")
@example("https://a.example:99999/")
@example("CURSOR:")
def test_a_redirect_address_is_safe_to_go_to_and_to_name_in_a_header(uri: str):
    if not redirects.is_allowed(uri):
        return
    assert uri.isascii() and uri.isprintable() and not set(uri) & set(" #\\")
    source = redirects.form_action(uri)
    assert not set(source) & set(" ;,'\"")  # no directive of the content policy can be begun with it
    # A scheme may be written in capitals, and without slashes.
    assert redirects.destination(uri).lower().removesuffix("//") in uri.lower()
    if uri.lower().startswith("http:"):
        assert redirects.is_local(uri)


@given(TEXT)
@example("https://169.254.169.254/latest")
@example("https://[::ffff:10.0.0.1]/")
@example("https://2130706433/")
@example("https://user:pw@example.com/")
def test_a_webhooks_address_is_read_or_refused(text: str):
    try:
        found = outgoing.checked_url(text, private_allowed=False)
    except AddressUnusable:
        return
    assert found.startswith("https://") and "@" not in found.split("/")[2]
