"""Reporting leaked tokens as GitHub does, and as whoever holds one."""

from __future__ import annotations

import base64
import json

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.test import Client

PLACE = "https://github.com/octocat/hello/blob/123/settings.json"


def listed(keys):
    rows = [{"key_identifier": name, "key": public_pem(private), "is_current": True} for name, private in keys.items()]
    return json.dumps({"public_keys": rows})


def public_pem(private):
    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def report(private, hits, *, key_id="key-1", body=None, signature=None):
    body = json.dumps(hits).encode() if body is None else body
    signature = signature or base64.b64encode(private.sign(body, ec.ECDSA(SHA256()))).decode()
    return Client().post(
        "/api/v1/leaks/github", body, content_type="application/json",
        headers={"Github-Public-Key-Identifier": key_id, "Github-Public-Key-Signature": signature},
    )  # fmt: skip


def hit(token, url=PLACE):
    return {"token": token, "type": "latchkey_key", "url": url, "source": "content"}


def committed(django_capture_on_commit_callbacks, act):
    with django_capture_on_commit_callbacks(execute=True):
        return act()


SAID = "If it was a key of this portal"


def hold(text, client=None):
    return (client or Client()).post("/leaked/", {"token": text})
