"""Companies and users of another system, such as GrowERP: read, checked, and made, each once however often it runs."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.urls import reverse

from portal.accounts import mails
from portal.accounts.models import User
from portal.accounts.services import note
from portal.audit.actors import SYSTEM
from portal.companies.models import Company, Currency, Membership
from portal.companies.roles import Role
from portal.companies.services import add_member, create_company
from portal.names import clean_company_name, clean_name

LARGEST: Final = 20 * 1024 * 1024
COLUMNS: Final = ("company", "currency", "email", "first_name", "last_name", "name", "role")
# What GrowERP calls its user groups, and this portal's own words.
ROLES: Final[dict[str, Role]] = {
    "": Role.OWNER, "owner": Role.OWNER, "admin": Role.ADMIN, "growerp_m_admin": Role.OWNER,
    "developer": Role.DEVELOPER, "employee": Role.DEVELOPER, "growerp_m_employee": Role.DEVELOPER,
    "viewer": Role.VIEWER,
}  # fmt: skip


class FileWrong(Exception):
    """The file as a whole cannot be read."""


@dataclass(frozen=True, slots=True)
class Person:
    """One row that is well formed: a person in a company."""

    row: int
    company: str
    currency: str
    email: str
    name: str
    role: Role


@dataclass
class Outcome:
    """What was done, or would be: counts, and what is wrong by row."""

    companies: int = 0
    users: int = 0
    memberships: int = 0
    there: int = 0
    errors: list[tuple[int, str]] = field(default_factory=list)
    invited: list[tuple[User, Company]] = field(default_factory=list)


def read(path: Path) -> list[dict[str, Any]]:
    """The rows of a CSV or JSON file, each with the columns of COLUMNS. Raises FileWrong.

    JSON: `{"companies": [{"name", "currency", "users" or "employees": [{"email", "firstName", "lastName", "role"}]}]}`.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise FileWrong(f"{path} is larger than {LARGEST // 1024 // 1024} MB: split it.")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise FileWrong(f"{path} cannot be read as UTF-8 text: {error}") from error
    return _from_json(text) if path.suffix.lower() == ".json" else _from_csv(text)


def _from_csv(text: str) -> list[dict[str, Any]]:
    reader = csv.DictReader(text.splitlines(), strict=True)
    names = {(name or "").strip().lower() for name in reader.fieldnames or ()}
    if not {"company", "email"} <= names:
        raise FileWrong(
            f"The first line must name the columns, at least company and email; known: {', '.join(COLUMNS)}."
        )
    try:
        return [{(name or "").strip().lower(): value for name, value in row.items()} for row in reader]
    except csv.Error as error:
        raise FileWrong(f"Line {reader.line_num} is no CSV: {error}") from error


def _from_json(text: str) -> list[dict[str, Any]]:
    try:
        found = json.loads(text)
        companies = found["companies"] if isinstance(found, dict) else found
        rows = []
        for company in companies:
            currency = company.get("currency") or company.get("currencyId") or ""
            if isinstance(currency, dict):
                currency = currency.get("currencyId", "")
            for person in company.get("users") or company.get("employees") or [{}]:
                rows.append(
                    {
                        "company": company.get("name"), "currency": currency,
                        "email": person.get("email"), "name": person.get("name"),
                        "first_name": person.get("firstName") or person.get("first_name"),
                        "last_name": person.get("lastName") or person.get("last_name"),
                        "role": person.get("role") or person.get("userGroup"),
                    }
                )  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FileWrong(f"This is not JSON of the form that docs/moving-from-growerp.md shows: {error}") from error
    return rows


def check(rows: Iterable[dict[str, Any]], outcome: Outcome) -> list[Person]:
    """The rows that are well formed; what is wrong with the others goes into `outcome.errors`."""
    found: dict[tuple[str, str], Person] = {}
    for number, row in enumerate(rows, 1):
        try:
            person = _person(number, {name: str(value or "").strip() for name, value in row.items() if name})
        except ValidationError as error:
            outcome.errors.append((number, " ".join(error.messages)))
        else:
            found.setdefault((person.company.casefold(), person.email), person)
    return list(found.values())


def _person(number: int, row: dict[str, str]) -> Person:
    email = row.get("email", "").lower()
    try:
        validate_email(email)
    except ValidationError:
        raise ValidationError(f"{email or 'nothing'} is no e-mail address.") from None
    if not row.get("company"):
        raise ValidationError("The company has no name.")
    currency = row.get("currency", "").upper() or Currency.USD
    if currency not in Currency.values:
        raise ValidationError(f"{currency} is no currency of the portal; use one of {', '.join(Currency.values)}.")
    role = ROLES.get(row.get("role", "").lower())
    if role is None:
        raise ValidationError(f"{row['role']} is no role; use one of {', '.join(Role.values)}.")
    name = row.get("name") or f"{row.get('first_name', '')} {row.get('last_name', '')}".strip()
    name = clean_name(name or email.partition("@")[0])
    if len(name) > 120 or len(row["company"]) > 120 or len(email) > 254:
        raise ValidationError("A name can have 120 characters, an address 254.")
    return Person(number, clean_company_name(row["company"]), str(currency), email, name, role)


def run(people: list[Person], outcome: Outcome, *, dry: bool = False) -> None:
    """Make what is not there yet, company by company: one that fails leaves nothing, and the others go on.

    A company is there already if one of its people is in a company of that name. Owners come first; who was a user
    before keeps name and password.
    """
    groups: dict[str, list[Person]] = {}
    for person in people:
        groups.setdefault(person.company.casefold(), []).append(person)
    for group in groups.values():
        group.sort(key=lambda person: list(Role).index(person.role))
        if group[0].role != Role.OWNER:
            outcome.errors.append((group[0].row, f"{group[0].company} has no owner among its rows."))
            continue
        before = (outcome.companies, outcome.users, outcome.memberships, outcome.there, len(outcome.invited))
        try:
            with transaction.atomic():
                _company(group, outcome)
                if dry:
                    transaction.set_rollback(True)
        except ValidationError as error:
            outcome.companies, outcome.users, outcome.memberships, outcome.there, invited = before
            del outcome.invited[invited:]
            outcome.errors.append((group[0].row, " ".join(error.messages)))


def _company(group: list[Person], outcome: Outcome) -> None:
    first = group[0]
    company = Company.objects.filter(
        name__iexact=first.company, memberships__user__email__in=[person.email for person in group]
    ).first()
    for person in group:
        user = _user(person, outcome)
        if company is None:
            company = create_company(name=person.company, currency=person.currency, owner=user, actor=SYSTEM)
            outcome.companies += 1
        elif Membership.objects.filter(company=company, user=user).exists():
            outcome.there += 1
            continue
        else:
            add_member(company=company, user=user, role=person.role, actor=SYSTEM)
        outcome.memberships += 1
        outcome.invited.append((user, company))


def _user(person: Person, outcome: Outcome) -> User:
    user = User.objects.filter(email=person.email).first()
    if user is not None:
        if not user.is_active:
            raise ValidationError(f"The account of {person.email} is switched off.")
        return user
    user = User.objects.create_user(person.email, None, name=person.name)
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=False)
    note(user, "account:created", SYSTEM)
    outcome.users += 1
    return user


def invite(user: User, company: Company) -> None:
    """Mail somebody how they begin: with a password that they set themselves; no secret is in the mail."""
    new = not user.has_usable_password()
    address = settings.PORTAL_URL + reverse("account_reset_password" if new else "account_login")
    context = {"company": company, "new": new, "address": address}
    mails.to_person("companies/mail/imported", user, context, zone=company.time_zone).send()
