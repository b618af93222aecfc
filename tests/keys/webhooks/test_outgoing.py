"""S28: requests to strangers' addresses never reach private networks, and end in time."""

from __future__ import annotations

import time
from http.server import BaseHTTPRequestHandler

import httpcore
import pytest

from keys.webhooks import outgoing
from keys.webhooks.errors import AddressUnusable
from tests.keys.webhooks.conftest import Internet, Receiver

PUBLIC = "93.184.216.34"
HOOK = "https://hooks.example.com/hook"


def _post(url: str, **options: object) -> outgoing.Answer:
    return outgoing.send("POST", url, headers={}, content=b"{}", private_allowed=False, **options)


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1", "172.16.0.1", "192.168.1.1", "127.0.0.1", "127.8.8.8", "0.0.0.0", "169.254.169.254",
        "100.64.0.1", "100.100.100.200", "192.0.0.192", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
        "168.63.129.16", "::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "2002:7f00:1::",
        "2002:a00:1::1", "2002:808:808::1", "192.0.0.8", "100::1", "3fff::1", "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe", "64:ff9b:1::1",
        "2001:0:7f00:1::", "2001:0:5ef5:79fd:0:59d:80ff:fffe",
    ],
)  # fmt: skip
def test_an_address_that_leads_inside_is_not_public(address: str) -> None:
    assert not outgoing.is_public(address)


@pytest.mark.parametrize(
    "address", [PUBLIC, "8.8.8.8", "2606:2800:220:1::1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2a00:1450:4001::1"]
)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert outgoing.is_public(address)


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["169.254.169.254"],
        ["::ffff:127.0.0.1"],
        [PUBLIC, "10.0.0.1"],
        ["2606:2800:220:1::1", "fd00:ec2::254"],
    ],
)
def test_a_name_with_any_private_address_is_never_connected_to(internet: Internet, addresses: list[str]) -> None:
    internet.answers["hooks.example.com"] = [addresses]
    with pytest.raises(outgoing.AddressRefused):
        _post(HOOK)
    assert internet.connected == []
    assert internet.receiver.got == []


def test_a_resolver_that_changes_its_answer_gains_nothing(internet: Internet) -> None:
    internet.answers["hooks.example.com"] = [[PUBLIC], ["127.0.0.1"]]
    assert _post(HOOK).status == 204
    assert internet.asked == ["hooks.example.com"]  # once: nothing between the check and the connection asks again
    assert internet.connected == [PUBLIC]
    with pytest.raises(outgoing.AddressRefused):
        _post(HOOK)
    assert internet.connected == [PUBLIC]


def test_tls_and_host_carry_the_name_though_the_address_is_pinned(internet: Internet) -> None:
    internet.answers["hooks.example.com"] = [[PUBLIC]]
    _post(HOOK)
    assert internet.receiver.server_names == ["hooks.example.com"]
    assert internet.receiver.got[0].headers["Host"] == "hooks.example.com"


def test_a_certificate_for_another_name_is_refused(internet: Internet) -> None:
    internet.answers["other.example.com"] = [[PUBLIC]]
    with pytest.raises(outgoing.HandshakeFailed):
        _post("https://other.example.com/hook")
    assert internet.receiver.got == []


def test_the_next_address_is_tried_when_one_does_not_answer(
    internet: Internet, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    connect = socket.create_connection

    def first_is_down(address: tuple[str, int], *args: object, **options: object) -> socket.socket:
        if address[0] == PUBLIC:
            internet.connected.append(PUBLIC)
            raise ConnectionRefusedError
        return connect(address, *args, **options)

    monkeypatch.setattr(socket, "create_connection", first_is_down)
    internet.answers["hooks.example.com"] = [[PUBLIC, "8.8.8.8"]]
    assert _post(HOOK).status == 204
    assert internet.connected == [PUBLIC, "8.8.8.8"]


def test_a_proxy_of_the_environment_is_not_asked(internet: Internet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://10.0.0.1:3128")
    internet.answers["hooks.example.com"] = [[PUBLIC]]
    _post(HOOK)
    assert internet.connected == [PUBLIC]


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/", "ftp://hooks.example.com/", "https://", "/hook", "", "https://u:p@example.com/",
        "https://example.com/#there", "https://127.0.0.1/", "https://[::1]/", "https://[::ffff:10.0.0.1]/",
        "https://localhost/", "https://printer.local/", "https://a.localhost./", "https://example.com:99999/",
        "https://exa mple.com/", "https://example.com/\r\nX-Evil: 1", "javascript:alert(1)",
    ],
)  # fmt: skip
def test_production_refuses_the_url(url: str) -> None:
    with pytest.raises(AddressUnusable):
        outgoing.checked_url(url, private_allowed=False)


def test_names_of_other_scripts_become_ascii() -> None:
    assert outgoing.checked_url("https://bücher.example/ä", private_allowed=False) == (
        "https://xn--bcher-kva.example/%C3%A4"
    )


def test_a_number_in_disguise_is_checked_as_the_address_that_it_is(internet: Internet) -> None:
    internet.answers["2130706433"] = [["127.0.0.1"]]  # what the C library makes of it
    with pytest.raises(outgoing.AddressRefused):
        _post("https://2130706433/")


def test_a_redirect_is_an_answer_and_not_followed(receiver: Receiver) -> None:
    receiver.status, receiver.headers = 307, {"Location": f"http://127.0.0.1:{receiver.port}/elsewhere"}
    answer = outgoing.send("POST", receiver.url, headers={}, content=b"{}", private_allowed=True)
    assert answer.status == 307
    assert [request.path for request in receiver.got] == ["/hook"]


def test_only_the_beginning_of_a_long_answer_is_read(receiver: Receiver) -> None:
    sent = []

    def pour(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            for _ in range(10_000):
                handler.wfile.write(b"x" * 65536)
                sent.append(65536)
        except OSError:
            pass
        handler.close_connection = True

    receiver.respond = pour
    answer = outgoing.send("POST", receiver.url, headers={}, content=b"{}", private_allowed=True)
    assert answer.body == b"x" * 1024
    assert sum(sent) < 64 * 1024 * 1024


def test_an_answer_that_drips_ends_with_the_time(receiver: Receiver) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        try:
            for number in range(200):
                handler.wfile.write(f"X-{number}: 1\r\n".encode())
                time.sleep(0.02)
        except OSError:
            pass
        handler.close_connection = True

    receiver.respond = drip
    started = time.monotonic()
    with pytest.raises(httpcore.TimeoutException):
        outgoing.send("POST", receiver.url, headers={}, content=b"{}", private_allowed=True, timeout=0.3)
    assert time.monotonic() - started < 1.5


def test_a_name_without_an_address_is_unknown(internet: Internet, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(outgoing.UnknownHost):
        _post(HOOK)
