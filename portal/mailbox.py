"""The mail of a development run: kept in a folder, shown at /mailbox/."""

from django.core.mail.backends.base import BaseEmailBackend


class MailboxBackend(BaseEmailBackend):
    """Keeps mail as files."""
