"""Django's makemessages, which also knows `_l`: our short name of gettext_lazy beside gettext in one module."""

from __future__ import annotations

from django.core.management.commands import makemessages


class Command(makemessages.Command):
    """Brings the catalogues in locale/ up to date (`make messages`)."""

    xgettext_options = [*makemessages.Command.xgettext_options, "--keyword=_l"]
