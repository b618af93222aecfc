"""`python3 -m bench.access_tokens FILE COUNT`: access tokens beside the keys that `manage.py fill` wrote to FILE.

As AI clients have them that signed in by themselves, without the sign-in: connections of the keys' own people, each
with one access token. They are added to FILE as `access_tokens`.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import timedelta
from pathlib import Path

import django


def add(path: Path, count: int) -> None:
    """Make COUNT of them."""
    from django.conf import settings
    from django.db import transaction
    from django.utils import timezone
    from oauth2_provider.models import get_access_token_model

    from keys import tokens
    from keys.models import Key
    from keys.oauth.models import AccessValue, Connection

    made = json.loads(path.read_text())
    ids = [tokens.parse(text).id for text in made["keys"][:count]]
    ends = timezone.now() + timedelta(days=1)
    name, pepper = next(iter(settings.PEPPERS.items()))
    made["access_tokens"] = []
    with transaction.atomic():
        for key in Key.objects.filter(pk__in=ids).select_related("user"):
            connection = Connection.objects.create(
                company_id=key.company_id, server_id=key.server_id, user=key.user, client_name="bench",
                scopes=["tools:*"],
            )  # fmt: skip
            token = tokens.generate(tokens.Kind.ACCESS)
            row = get_access_token_model().objects.create(user=key.user, token=token.text, expires=ends)
            AccessValue.objects.create(
                id=token.id, connection=connection, access_token=row, digest=tokens.digest(token.text, pepper),
                pepper=name, scopes=["tools:*"], expires_at=ends,
            )  # fmt: skip
            made["access_tokens"].append(token.text)
    path.write_text(json.dumps(made))


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()
    add(Path(sys.argv[1]), int(sys.argv[2]))
