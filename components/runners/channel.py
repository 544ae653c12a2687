"""Messages between a worker and its child: JSON with its length before it, over a socket."""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

HEADER = struct.Struct("!I")
PIECE = 256 * 1024

Message = dict[str, Any]


def send(sock: socket.socket, message: Message) -> None:
    """Send one message; raises BrokenPipeError where nobody reads any more."""
    data = json.dumps(message, separators=(",", ":")).encode()
    sock.sendall(HEADER.pack(len(data)) + data)


class Reader:
    """Puts messages together from what a socket gives; one object per socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._data = bytearray()

    def available(self) -> list[Message] | None:
        """Read once and return the messages that are whole; None means the other end closed."""
        try:
            data = self._sock.recv(PIECE)
        except ConnectionResetError:
            return None
        if not data:
            return None
        self._data += data
        return self._take()

    def one(self) -> Message | None:
        """Wait for one message, the only one that is under way; None where the other end closed."""
        while (messages := self.available()) is not None:
            if messages:
                return messages[0]
        return None

    def _take(self) -> list[Message]:
        messages: list[Message] = []
        start = 0
        while len(self._data) - start >= HEADER.size:
            (length,) = HEADER.unpack_from(self._data, start)
            stop = start + HEADER.size + length
            if len(self._data) < stop:
                break
            messages.append(json.loads(self._data[start + HEADER.size : stop]))
            start = stop
        del self._data[:start]
        return messages
