"""The queue of files of a portal without Redis: Kombu's, with messages that appear whole or not at all."""

from __future__ import annotations

from pathlib import Path
from time import monotonic_ns
from typing import Any
from uuid import uuid4

from kombu.exceptions import ChannelError
from kombu.transport import filesystem
from kombu.utils.json import dumps


class Channel(filesystem.Channel):
    """Kombu's writes into a file that readers see already: a reader that comes in between takes an empty message,
    fails to parse it, and takes the whole worker down with it.
    """

    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]
        """Put one message onto `queue`: written under a name that no reader takes, then renamed."""
        name = Path(self.data_folder_out, f"{monotonic_ns() // 1_000_000}_{uuid4()}.{queue}.msg")
        draft = name.with_name(f"{name.name}.part")
        try:
            draft.write_bytes(dumps(payload).encode())
            draft.replace(name)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise ChannelError(f"Cannot add file {name} to the queue.") from error


class Transport(filesystem.Transport):
    """Kombu's transport with that channel. portal/celery.py puts it behind `filesystem://`."""

    Channel = Channel
