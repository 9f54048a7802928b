"""A door on loopback in front of a server: who goes through it is let in or not. For more than that there is `tests/chaos/proxy.py`."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

CHUNK_BYTES = 1 << 16


class Door:
    """Connections to `port` lead to `behind`, both on loopback. `shut`: those that are inside are cut, and no other gets in."""

    def __init__(self, behind: int) -> None:
        self._behind, self._is_shut = behind, False
        self._inside: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._let_in, name="door", daemon=True).start()

    @contextmanager
    def shut(self) -> Iterator[None]:
        """While the block runs nobody gets through."""
        with self._lock:
            self._is_shut = True
            self._cut()
        try:
            yield
        finally:
            with self._lock:
                self._is_shut = False

    def close(self) -> None:
        """Take it away."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            self._cut()

    def _cut(self) -> None:
        for each in self._inside:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._inside.clear()

    def _let_in(self) -> None:
        with suppress(OSError):  # until it is taken away
            while True:
                guest, _ = self._listener.accept()
                with self._lock:
                    if self._is_shut:
                        guest.close()
                        continue
                    host = socket.create_connection(("127.0.0.1", self._behind))
                    self._inside |= {guest, host}
                for ends in ((guest, host), (host, guest)):
                    threading.Thread(target=_pass_on, args=ends, daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    """What one end says to the other, until one of them hangs up; then both have."""
    with suppress(OSError):
        while said := source.recv(CHUNK_BYTES):
            target.sendall(said)
    for each in (source, target):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
