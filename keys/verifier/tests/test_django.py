"""The plugs for Django and Django REST framework: real requests through Django's handler."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("django")

from django.http import JsonResponse
from django.test import Client, override_settings
from django.urls import path
from fake_portal import new_token
from latchkey import current_verdict
from latchkey import django as plug
from latchkey.drf import KeyAuthentication
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView, exception_handler


@plug.key_required
def plain(request):
    return JsonResponse({"company": request.latchkey.company.slug, "current": current_verdict().key_id})


@plug.key_required(tool="drop")
def drop(request):
    return JsonResponse({})


def unguarded(request):
    return JsonResponse({})


class Stock(APIView):
    authentication_classes = (KeyAuthentication,)
    permission_classes = (IsAuthenticated,)
    latchkey_tool = "stock"

    def get_exception_handler(self):
        return exception_handler  # a stranger's project has DRF's own

    def get(self, request):
        return Response({"user": request.user.email, "key": request.auth.key_id})


class Rpc(APIView):
    authentication_classes = (KeyAuthentication,)
    permission_classes = (IsAuthenticated,)

    def get_exception_handler(self):
        return exception_handler

    def post(self, request):
        return Response({"called": request.data["params"]["name"]})


urlpatterns = [
    path("plain/", plain), path("drop/", drop), path("inside/x/", unguarded), path("outside/", unguarded),
    path("stock/", Stock.as_view()), path("rpc/", Rpc.as_view()),
]  # fmt: skip


@pytest.fixture
def client(portal):
    with override_settings(
        ROOT_URLCONF=__name__,
        MIDDLEWARE=["latchkey.django.KeyMiddleware"],
        LATCHKEY_URL=portal.url,
        LATCHKEY_CREDENTIAL=portal.credential,
        LATCHKEY_PATHS=["/inside/"],
        ALLOWED_HOSTS=["testserver"],
    ):
        yield Client()
        plug.close_verifier()


def test_a_decorated_view_runs_only_for_a_good_key(portal, client):
    key = portal.make_key(scopes=["tool:x"])
    for headers in ({"X-API-Key": key}, {"Authorization": f"Bearer {key}"}, {"api_key": key}):
        answer = client.post("/plain/", headers=headers)
        assert answer.json() == {"company": "acme", "current": key[8:20]}
    assert current_verdict() is None
    missing = client.get("/plain/")
    assert (missing.status_code, missing["WWW-Authenticate"]) == (401, 'Bearer realm="latchkey"')
    assert 'error="invalid_token"' in client.get("/plain/", headers={"X-API-Key": new_token()})["WWW-Authenticate"]
    refused = client.get("/drop/", headers={"X-API-Key": key})
    assert refused.status_code == 403
    assert 'scope="tool:drop"' in refused["WWW-Authenticate"]


def test_the_middleware_guards_its_paths(portal, client):
    key = portal.make_key()
    assert client.get("/inside/x/").status_code == 401
    assert client.get("/inside/x/", headers={"X-API-Key": key}).status_code == 200
    assert client.get(f"/inside/x/?key={key}", headers={"X-API-Key": key}).status_code == 400
    assert client.get("/outside/").status_code == 200


def test_a_drf_view_gets_user_and_verdict_and_answers_as_it_should(portal, client):
    key = portal.make_key(scopes=["tool:stock"])
    answer = client.get("/stock/", headers={"X-API-Key": key})
    assert answer.json() == {"user": "ann@example.com", "key": key[8:20]}
    assert client.get("/stock/")["WWW-Authenticate"] == 'Bearer realm="latchkey"'
    bad = client.get("/stock/", headers={"X-API-Key": new_token()})
    assert bad.status_code == 401
    assert 'error="invalid_token"' in bad["WWW-Authenticate"]
    beyond = client.get("/stock/", headers={"X-API-Key": portal.make_key(scopes=["tool:other"])})
    assert beyond.status_code == 403
    assert 'scope="tool:stock"' in beyond["WWW-Authenticate"]
    limited = client.get("/stock/", headers={"X-API-Key": portal.make_key(remaining=0)})
    assert (limited.status_code, limited["Retry-After"]) == (429, "7")
    assert client.get(f"/stock/?key={key}").status_code == 400
    portal.broken["/api/v1/keys/verify"] = (500, {}, None)
    away = client.get("/stock/", headers={"X-API-Key": portal.make_key()})
    assert (away.status_code, away["Retry-After"]) == (503, "1")


@pytest.mark.parametrize("path", ["/plain/", "/inside/x/", "/rpc/"])
def test_a_tools_call_needs_the_scope_of_its_tool(portal, client, path):
    def call(tool, content_type="application/json"):
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool}}
        return client.post(path, json.dumps(body), content_type=content_type, headers={"X-API-Key": key})

    key = portal.make_key(scopes=["tool:good"])
    assert call("good").status_code == 200
    assert call("bad").status_code == 403
    assert 'scope="tool:bad"' in call("bad")["WWW-Authenticate"]
    assert call("bad", "text/plain").status_code == 403
    twice = b'{"method": "tools/call", "params": {"name": "good"}, "params": {"name": "bad"}}'
    assert client.post(path, twice, content_type="application/json", headers={"X-API-Key": key}).status_code == 400
    asked = len(portal.asked)
    assert client.post(path, twice, content_type="application/json").status_code == 401
    assert len(portal.asked) == asked


def test_missing_settings_are_told(client):
    from django.core.exceptions import ImproperlyConfigured

    with override_settings(LATCHKEY_CREDENTIAL="lk_srv_nonsense"), pytest.raises(ImproperlyConfigured) as raised:
        client.get("/plain/", headers={"X-API-Key": new_token()})
    assert "nonsense" not in str(raised.value)
