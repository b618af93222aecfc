"""GET /metrics: for a Prometheus that knows the token, and for nobody else."""

from __future__ import annotations

from secrets import compare_digest

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from portal.metrics import exposition


def is_allowed(authorization: str) -> bool:
    """Whether the header names the token. Without a token nobody is."""
    wanted = f"Bearer {settings.METRICS_TOKEN}".encode()
    return bool(settings.METRICS_TOKEN) and compare_digest(authorization.encode("utf-8", "replace"), wanted)


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The figures. Who lacks the token is told what he would be told of an address that does not exist."""
    if not is_allowed(request.headers.get("Authorization", "")):
        raise Http404
    return HttpResponse(exposition.everything(), content_type=exposition.CONTENT_TYPE)
