"""Redis as the queue, without losing what a worker takes in the moment when Redis begins to refuse writes.

Kombu takes a message off its list, and then notes who holds it: two steps. Between them Redis may run out of room, and
the message would be in neither place.
"""

from __future__ import annotations

import logging
import time
from typing import Any, Final

from kombu.transport import redis as kombu_redis
from redis.exceptions import ResponseError

log = logging.getLogger(__name__)

PAUSE_SECONDS: Final = 0.5


class QoS(kombu_redis.QoS):
    """What a worker holds and has not done yet."""

    def append(self, message: Any, delivery_tag: str) -> None:
        """Note that this worker holds `message`, however long Redis refuses: nothing else could be done meanwhile.

        Raises WorkerShutdown where the worker is told to end first.
        """
        refused = False
        while True:
            try:
                super().append(message, delivery_tag)
                return
            except ResponseError as error:  # out of memory, a full disk, a replica that may only read
                if not refused:
                    log.warning("Redis refuses to note a task that was taken (%s): trying until it does", error)
                refused = True
                from celery.worker.state import maybe_shutdown  # a web process, which only sends, needs no worker

                maybe_shutdown()
                time.sleep(PAUSE_SECONDS)


class Channel(kombu_redis.Channel):
    """A channel whose worker waits for room."""

    QoS = QoS


class Transport(kombu_redis.Transport):
    """Kombu's Redis transport with that channel."""

    Channel = Channel
