"""Celery tasks of the authorization server."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from celery import shared_task
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from oauth2_provider.models import clear_expired, get_application_model, get_refresh_token_model

from keys.oauth.models import AccessValue, Approval, Connection, DeviceRequest

UNUSED: Final = timedelta(days=7)
APPROVALS_KEPT: Final = timedelta(days=2)
DEVICE_REQUESTS_KEPT: Final = timedelta(hours=1)  # so that a client that asks late hears why
AT_ONCE: Final = 500


@shared_task(name="oauth.purge", replayable=True)
def purge() -> int:
    """Forget expired tokens and codes, and clients that registered themselves and hold nothing that lives.

    A client with a live token or a connection in force is never touched: it would be signed out for no reason.
    """
    clear_expired()
    now = timezone.now()
    old = Approval.objects.filter(created_at__lt=now - APPROVALS_KEPT)
    deleted: int = old.filter(Q(token_family=None) | Q(connection__revoked_at__isnull=False)).delete()[0]
    deleted += DeviceRequest.objects.filter(expires_at__lt=now - DEVICE_REQUESTS_KEPT).delete()[0]
    model = get_application_model()
    sources = model.RegistrationSource
    refresh = get_refresh_token_model().objects.filter(application=OuterRef("pk"), revoked=None)
    access = AccessValue.objects.filter(access_token__application=OuterRef("pk"), expires_at__gt=now)
    in_force = Connection.objects.usable(now).filter(client=OuterRef("pk"))
    idle = model.objects.filter(registration_source__in=[sources.DCR, sources.CIMD], created__lt=now - UNUSED)
    idle = idle.filter(~Exists(refresh), ~Exists(access), ~Exists(in_force)).order_by("pk")
    ids = list(idle.values_list("pk", flat=True)[:AT_ONCE])
    return deleted + model.objects.filter(pk__in=ids).delete()[0]
