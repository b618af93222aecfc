"""`manage.py erase_user ada@example.com`: erases everything that names a person; see docs/operations.md."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.accounts.erasure import erase_user, is_erased, plan_for
from portal.accounts.models import User
from portal.audit.actors import SYSTEM
from portal.companies.errors import CompanyError


class Command(BaseCommand):
    """Erases a person."""

    help = "Erase everything that names a person; the audit record still verifies. There is no way back."

    def add_arguments(self, parser: CommandParser) -> None:
        """Whom."""
        parser.add_argument("email", help="the person's e-mail address, or the id of their account")
        parser.add_argument("--yes", action="store_true", help="do it; without this it is only told what would happen")

    def handle(self, *args: Any, **options: Any) -> None:
        """Tell what would happen, or do it."""
        name = options["email"]
        user = User.objects.filter(email=name.lower()).first() or User.objects.filter(pk=name).first()
        if user is None:
            raise CommandError(f"There is no account with the address or id {name}.")
        if is_erased(user):
            self.stdout.write("This person was erased already.")
            return
        plan = plan_for(user)
        for words, companies in (("closes", plan.closes), ("leaves", plan.leaves), ("is held by", plan.held)):
            for company in companies:
                self.stdout.write(f"{words} {company.name} ({company.slug})")
        if not options["yes"]:
            self.stdout.write("Nothing was done. Add --yes to erase the person.")
            return
        try:
            count = erase_user(user=user, actor=SYSTEM)
        except CompanyError as error:
            raise CommandError(str(error.message)) from None
        self.stdout.write(f"Erased {user.pk}; {count} events of the audit record lost their names.")
