"""The mailbox of a development run."""

from __future__ import annotations

import stat

import pytest
from django.core.mail import EmailMultiAlternatives, get_connection
from django.urls import reverse

from portal import mailbox


@pytest.fixture
def folder(settings, tmp_path):
    """An empty mailbox that mail goes to."""
    settings.MAILBOX_DIR = tmp_path / "mail"
    settings.EMAIL_BACKEND = "portal.mailbox.MailboxBackend"
    settings.MAILBOX = True
    return settings.MAILBOX_DIR


def send(subject="Hello", to="ada@example.com", text="Text äöü\n", html="<p style='color:red'>Rich</p>"):
    message = EmailMultiAlternatives(subject, text, "latchkey@localhost", [to], connection=get_connection())
    if html:
        message.attach_alternative(html, "text/html")
    message.send()


def test_an_empty_mailbox_says_when_mails_come(client, db, folder):
    assert "No mail yet" in client.get(reverse("mailbox")).content.decode()


def test_the_newest_mail_stands_first(client, db, folder):
    send("First")
    send("Second")
    page = client.get(reverse("mailbox")).content.decode()
    assert page.index("Second") < page.index("First")


def test_mails_to_one_address_can_be_picked(client, db, folder):
    send("For Ada")
    send("For Bob", to="bob@example.com")
    page = client.get(reverse("mailbox"), {"to": "BOB@"}).content.decode()
    assert "For Bob" in page and "For Ada" not in page


def test_a_mail_is_shown_as_text_and_in_a_closed_frame(client, db, folder):
    send(text="Text äöü\n<script>x</script>")
    (mail,) = mailbox.all_mails()
    page = client.get(reverse("mail", args=[mail.id]))
    assert "Text äöü" in page.content.decode() and "<script>x" not in page.content.decode()
    assert 'sandbox="allow-popups' in page.content.decode()
    assert "frame-src 'self'" in page["Content-Security-Policy"]
    frame = client.get(reverse("mail_html", args=[mail.id]))
    assert "Rich" in frame.content.decode()
    policy = frame["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "sandbox" in policy and "script-src 'none'" in policy
    assert frame["X-Frame-Options"] == "SAMEORIGIN"


def test_mails_are_for_the_portals_own_user_only(folder):
    send()
    (path,) = folder.glob("*.eml")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_oldest_mails_go_when_there_are_too_many(folder, monkeypatch):
    monkeypatch.setattr(mailbox, "KEPT", 3)
    for number in range(5):
        send(f"Mail {number}")
    assert [mail.subject for mail in mailbox.all_mails()] == ["Mail 4", "Mail 3", "Mail 2"]


def test_the_mailbox_can_be_emptied_by_post_only(client, db, folder):
    send()
    assert client.get(reverse("mailbox_clear")).status_code == 405
    client.post(reverse("mailbox_clear"))
    assert not list(mailbox.all_mails())


@pytest.mark.parametrize("identifier", ["..", "secrets", "1-2", "0" * 19 + "-aaaaaaaaaaaa"])
def test_only_ids_of_mails_are_looked_up(client, db, folder, identifier):
    assert client.get(reverse("mailbox") + identifier + "/").status_code == 404
    assert mailbox.find_mail(f"../{identifier}") is None


@pytest.mark.parametrize("change", [{"MAILBOX": False}, {"PRODUCTION": True}])
def test_there_is_no_mailbox_in_production(client, db, folder, settings, change):
    send()
    (mail,) = mailbox.all_mails()
    for name, value in change.items():
        setattr(settings, name, value)
    for address in (reverse("mailbox"), reverse("mail", args=[mail.id]), reverse("mail_html", args=[mail.id])):
        assert client.get(address).status_code == 404
    assert client.post(reverse("mailbox_clear")).status_code == 404
    assert folder.exists()
