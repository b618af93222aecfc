"""The queue in Redis, with a real one that has no room."""

from __future__ import annotations

import threading
import time

import pytest
from celery.exceptions import WorkerShutdown
from celery.worker import state
from kombu import Connection
from redis import Redis

from portal.celery import app
from tests.keys.throwaway import ThrowawayRedis


@pytest.fixture
def redis(tmp_path):
    running = ThrowawayRedis(tmp_path)
    running.start()
    with Redis.from_url(running.url) as client:
        client.url = running.url
        yield client
    running.kill()


@pytest.fixture
def channel(redis):
    with Connection(redis.url) as connection:
        channel = connection.default_channel
        channel.queue_declare("usage")
        connection.SimpleQueue("usage").put("a batch")
        yield channel


def until(happened) -> None:
    end = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def test_the_portals_own_transport_is_what_redis_means():
    assert app.connection_for_write("redis://localhost").transport_cls == "redis"
    assert type(app.connection_for_write("redis://localhost").transport).__module__ == "portal.redis_queue"


def test_a_message_that_was_taken_when_redis_ran_full_is_noted_when_there_is_room(redis, channel, caplog):
    redis.config_set("maxmemory", "1")
    taken = []
    taking = threading.Thread(target=lambda: taken.append(channel.basic_get("usage")))
    taking.start()
    until(lambda: "refuses to note" in caplog.text)
    assert redis.llen("usage") == 0  # it stands nowhere now: Kombu would have lost it
    assert not taken
    redis.config_set("maxmemory", "0")
    taking.join(20)
    assert [message.decode() for message in taken] == ["a batch"]
    assert redis.hlen("unacked") == 1
    taken[0].ack()
    assert redis.hlen("unacked") == 0
    assert caplog.text.count("refuses to note") == 1


def test_a_worker_that_is_to_end_does_not_wait_for_room(redis, channel, monkeypatch):
    redis.config_set("maxmemory", "1")
    monkeypatch.setattr(state, "should_stop", 0)
    with pytest.raises(WorkerShutdown):
        channel.basic_get("usage")
    redis.config_set("maxmemory", "0")
