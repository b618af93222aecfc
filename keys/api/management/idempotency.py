"""`Idempotency-Key`: a request that makes something, sent again because its answer was lost, makes nothing new.

The answer to the repeat has status 200, `Idempotent-Replay: true` and what was made, as it is now; a value that is
shown once is null in it. Whoever lost it rotates the key, or makes another credential.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Final

import orjson
from django.db import IntegrityError, transaction
from django.http import Http404, HttpResponse
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from keys.api.management.base import caller_of, with_etag
from keys.api.problems import problem
from keys.errors import LifecycleError
from keys.models import IdempotentRequest

HEADER: Final = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="At most 128 characters, kept for two days: sent again with it, the request makes nothing new. The "
    "answer is then 200 with what was made, a value that is shown once being null. With another request: 409.",
)
Made = tuple[str, dict[str, Any]]


def once(
    request: Request, *, make: Callable[[], Made], made_before: Callable[[str], dict[str, Any] | None]
) -> HttpResponse:
    """201 with what `make` made, or what the same request made before, as `made_before` shows it by its id.

    `make` runs in a transaction and returns the id and the representation.
    """
    sent = request.headers.get("Idempotency-Key", "")
    if len(sent) > 128 or not sent.isprintable():
        raise ValidationError({"Idempotency-Key": "Send at most 128 printable characters."})
    if not sent:
        return with_etag(make()[1], status=201)
    asked = orjson.dumps([request._request.path, request.data], option=orjson.OPT_SORT_KEYS)
    fingerprint = hashlib.sha256(asked).hexdigest()
    if earlier := _earlier(request, sent):
        return _again(earlier, fingerprint, made_before)
    try:
        with transaction.atomic():
            identifier, representation = make()
            IdempotentRequest.objects.create(
                token=caller_of(request).token, idempotency_key=sent, fingerprint=fingerprint, resource_id=identifier
            )
    except (IntegrityError, LifecycleError):
        # The same request at the same moment may have been first: then this one made nothing.
        if earlier := _earlier(request, sent):
            return _again(earlier, fingerprint, made_before)
        raise
    return with_etag(representation, status=201)


def _earlier(request: Request, sent: str) -> IdempotentRequest | None:
    return IdempotentRequest.objects.filter(token=caller_of(request).token, idempotency_key=sent).first()


def _again(
    earlier: IdempotentRequest, fingerprint: str, made_before: Callable[[str], dict[str, Any] | None]
) -> HttpResponse:
    if earlier.fingerprint != fingerprint:
        return problem(
            409, "This Idempotency-Key was used for another request. Send a new one.", type_="idempotency-key-reused"
        )
    representation = made_before(earlier.resource_id)
    if representation is None:
        raise Http404
    response = with_etag(representation)
    response.headers["Idempotent-Replay"] = "true"
    return response
