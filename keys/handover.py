"""What a member who goes leaves behind: keys can be handed over to another member; everything else ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from django.db import transaction
from django.utils.translation import ngettext

from keys import feed, services
from keys.management_tokens.services import revoke_token
from keys.models import CredentialQuerySet, Key
from keys.oauth.models import Connection
from portal.audit.services import record_many
from portal.companies.belongings import Belonging, Keeper, register
from portal.companies.models import Company, Membership

if TYPE_CHECKING:
    from portal.accounts.models import User
    from portal.audit.actors import Actor


@transaction.atomic
def hand_over(*, company: Company, user: User, heir: Membership, actor: Actor) -> int:
    """Have the keys in use of `user` act for `heir` from now on; their values stay. Returns how many those are.

    Keys that a sign-in by password made stay with whoever signed in, and so does what is expired or revoked already.
    """
    mine = cast(CredentialQuerySet, company.keys.filter(user=user, login_client="")).usable()
    keys = list(mine.select_for_update().order_by("pk"))
    if keys:
        Key.objects.filter(pk__in=[key.pk for key in keys]).update(user=heir.user_id)
        items = [(services.target(key), {"from": user.pk, "to": heir.user_id}) for key in keys]
        record_many(items, "key:handed_over", actor=actor, company=company)
        feed.publish(feed.Forget(key.server_id, key_id=key.pk) for key in keys)
    return len(keys)


@transaction.atomic
def revoke_tokens(*, company: Company, user: User | None, reason: str, actor: Actor) -> None:
    """End the management tokens of `user` in `company` (None: everybody's), so that no return brings them back."""
    found = company.management_tokens.filter(revoked_at=None)
    for token in found.filter(user=user) if user else found:
        revoke_token(token=token, reason=reason, actor=actor)


def _belongings(membership: Membership) -> list[Belonging]:
    company, user = membership.company, membership.user
    mine = cast(CredentialQuerySet, company.keys.filter(user=user)).usable()
    keys = mine.filter(login_client="").count()
    sign_ins = mine.exclude(login_client="").count()
    connections = Connection.objects.usable().filter(company=company, user=user).count()
    tokens = cast(CredentialQuerySet, company.management_tokens.filter(user=user)).usable().count()
    found = [
        Belonging(ngettext("%(number)d key in use", "%(number)d keys in use", keys) % {"number": keys}, keys),
        Belonging(
            ngettext("%(number)d key of a sign-in by password", "%(number)d keys of sign-ins by password", sign_ins)
            % {"number": sign_ins}
        ),
        Belonging(ngettext("%(number)d connection", "%(number)d connections", connections) % {"number": connections}),
        Belonging(ngettext("%(number)d management token", "%(number)d management tokens", tokens) % {"number": tokens}),
    ]
    return [each for each, number in zip(found, (keys, sign_ins, connections, tokens), strict=True) if number]


register(Keeper(_belongings, may_take=lambda membership: membership.may("key:manage_own")))
