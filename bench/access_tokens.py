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
    from django.db import transaction

    from keys import tokens
    from keys.models import Key
    from tests.factories import make_access_token

    made = json.loads(path.read_text())
    ids = [tokens.parse(text).id for text in made["keys"][:count]]
    found = Key.objects.filter(pk__in=ids).select_related("company", "server", "user")
    with transaction.atomic():
        made["access_tokens"] = [
            make_access_token(key.company, key.server, key.user, lifetime=timedelta(days=1))[1].text for key in found
        ]
    path.write_text(json.dumps(made))


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()
    add(Path(sys.argv[1]), int(sys.argv[2]))
