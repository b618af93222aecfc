"""The pages' cache, with a real Redis that goes away."""

from __future__ import annotations

import time

import pytest
from django.test import Client

from portal import cache as module
from portal.cache import FallbackCache
from tests.factories import PASSWORD
from tests.keys.throwaway import ThrowawayRedis


@pytest.fixture
def redis(tmp_path):
    made = ThrowawayRedis(tmp_path)
    made.start()
    yield made
    made.kill()


@pytest.fixture
def cache(redis):
    made = FallbackCache(redis.url, {"KEY_PREFIX": "test"})
    made.clear()
    return made


def test_it_is_shared_while_redis_is_there(cache, redis):
    other = FallbackCache(redis.url, {"KEY_PREFIX": "test"})
    assert cache.add("attempts", 1, 60)
    assert not other.add("attempts", 1, 60)
    assert other.incr("attempts") == 2
    assert cache.get("attempts") == 2


@pytest.mark.parametrize("way", ["kill", "freeze"])
def test_while_redis_is_away_it_goes_on_in_memory(cache, redis, way):
    cache.set("before", 1)
    getattr(redis, way)()
    try:
        assert cache.get("before") is None
        assert cache.add("attempts", 1, 60)
        began = time.monotonic()
        assert [cache.incr("attempts") for _ in range(20)] == list(range(2, 22))
        assert time.monotonic() - began < 2  # not every call waits for Redis
        with pytest.raises(ValueError):
            cache.incr("never-set")
    finally:
        if way == "freeze":
            redis.thaw()


def test_redis_is_used_again_when_it_is_back(cache, redis, monkeypatch):
    monkeypatch.setattr(module, "AWAY_SECONDS", 0.0)
    redis.kill()
    cache.set("name", "in memory")
    redis.start()
    assert cache.get("name") is None
    cache.set("name", "in Redis")
    assert FallbackCache(redis.url, {"KEY_PREFIX": "test"}).get("name") == "in Redis"


def test_people_can_sign_in_without_redis(owner, company, settings):
    settings.CACHES = {"default": {"BACKEND": "portal.cache.FallbackCache", "LOCATION": "redis://127.0.0.1:1/0"}}
    client = Client()
    response = client.post("/accounts/login/", {"login": owner.email, "password": PASSWORD}, follow=True)
    assert response.status_code == 200
    assert response.context["user"] == owner
