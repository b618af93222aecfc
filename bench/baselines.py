"""Settings, addresses and views of what the verify endpoint is measured against: a project as Django's startproject
makes it, with a bare view, a bare DRF view, and the peers that are installed.
"""

from __future__ import annotations

import importlib.util
import os
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, path
from django.views.decorators.csrf import csrf_exempt

from portal import env

SECRET_KEY = "a benchmark protects nothing"  # noqa: S105
DEBUG = False
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = __name__
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "oauth2_provider",
]
PEERS = [name for name in ("rest_framework_api_key", "knox") if importlib.util.find_spec(name)]
INSTALLED_APPS += PEERS
MIDDLEWARE = (
    []
    if os.environ.get("BENCH_MIDDLEWARE") == "none"
    else [
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ]
)
DATABASES = {"default": env.database("DATABASE_URL", "sqlite:////nonexistent")}
LOGGING_CONFIG = None

ANSWER = {"valid": True, "code": "VALID"}


@csrf_exempt
def bare(request: HttpRequest) -> HttpResponse:
    """A Django view that answers JSON."""
    return JsonResponse(ANSWER)


def drf_view(**attributes: Any) -> Any:
    """A DRF view that reads its body and answers, with these class attributes."""
    from rest_framework.response import Response
    from rest_framework.views import APIView

    class View(APIView):
        authentication_classes = ()
        permission_classes = ()

        def post(self, request: Any) -> Response:
            assert request.data is not None
            return Response(ANSWER)

    for name, value in attributes.items():
        setattr(View, name, value)
    return View.as_view()


def _addresses() -> list[URLPattern]:
    from oauth2_provider.views import IntrospectTokenView

    found = [
        path("bare", bare),
        path("drf", drf_view()),
        path("introspect", csrf_exempt(IntrospectTokenView.as_view())),
    ]
    if "rest_framework_api_key" in PEERS:
        from rest_framework_api_key.permissions import HasAPIKey

        found.append(path("api-key", drf_view(permission_classes=(HasAPIKey,))))
    if "knox" in PEERS:
        from knox.auth import TokenAuthentication
        from rest_framework.permissions import IsAuthenticated

        found.append(
            path("knox", drf_view(authentication_classes=(TokenAuthentication,), permission_classes=(IsAuthenticated,)))
        )
    return found


def __getattr__(name: str) -> Any:
    """The addresses, made when the applications are loaded: this module is settings and addresses in one."""
    if name == "urlpatterns":
        globals()[name] = _addresses()
        return globals()[name]
    raise AttributeError(name)


def prepare(count: int) -> dict[str, Any]:
    """Make `count` users with a token each, for each peer; the headers and bodies that they are asked with."""
    from datetime import timedelta

    from django.contrib.auth import get_user_model
    from django.utils import timezone
    from oauth2_provider.models import AccessToken, get_application_model

    users = get_user_model().objects.bulk_create(
        [get_user_model()(username=f"user{number}", password="!") for number in range(count)]  # noqa: S106
    )
    application = get_application_model().objects.create(
        name="resource server", client_type="confidential", authorization_grant_type="client-credentials"
    )
    later = timezone.now() + timedelta(days=1)
    AccessToken.objects.bulk_create(
        [
            AccessToken(user=user, token=f"token{number}", application=application, expires=later, scope="read")
            for number, user in enumerate(users)
        ]
    )
    AccessToken.objects.create(
        user=users[0],
        token="resource-server",  # noqa: S106
        application=application,
        expires=later,
        scope="introspection",
    )
    found: dict[str, Any] = {
        "introspect": {
            "headers": ["Bearer resource-server"],
            "bodies": [f"token=token{number}" for number in range(count)],
            "type": "application/x-www-form-urlencoded",
        }
    }
    if "rest_framework_api_key" in PEERS:
        from rest_framework_api_key.models import APIKey

        keys = [APIKey.objects.create_key(name=f"key {number}")[1] for number in range(count)]
        found["api-key"] = {"headers": [f"Api-Key {key}" for key in keys]}
    if "knox" in PEERS:
        from knox.models import AuthToken

        found["knox"] = {"headers": [f"Token {AuthToken.objects.create(user=user)[1]}" for user in users]}
    return found
