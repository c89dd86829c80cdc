"""The device's end of a line: a pty or a TCP port that waits for a host, or a line that is already there."""

import os
import pty
import select
import socket
import sys
import tty
from pathlib import Path
from typing import Protocol

from device_sim.contract.errors import StreamError
from device_sim.link import DescriptorLink, Link, LinkClosed, open_link

KINDS = "pty, pty:LINK, listen://HOST:PORT, socket://HOST:PORT, a serial port, or - (stdout)"


class Stand(Protocol):
    """Where a device stands and waits to be asked."""

    @property
    def address(self) -> str | None:
        """What a host opens; None where the line was there before us."""

    def host(self, timeout_s: float) -> Link | None:
        """The next host; None where none came in time."""

    def close(self) -> None: ...


class PtyStand:
    """A pseudo terminal: the host opens it as it would a serial port."""

    def __init__(self, link: Path | None) -> None:
        self._master, slave = pty.openpty()
        tty.setraw(slave)  # stays so while the master is open, whoever opens and closes the other end
        self._name = os.ttyname(slave)
        os.close(slave)
        os.set_blocking(self._master, False)
        self._link = link
        if link is not None:
            _point(link, self._name)
        self.address: str | None = self._name if link is None else str(link)

    def host(self, timeout_s: float) -> Link | None:
        poll = select.poll()
        poll.register(self._master, select.POLLIN)
        for _ in range(max(1, round(timeout_s / 0.02))):
            if not any(event & select.POLLHUP for _fd, event in poll.poll(0)):
                return PtyLink(self._master)
            select.select([], [], [], 0.02)
        return None

    def close(self) -> None:
        os.close(self._master)
        if self._link is not None:
            self._link.unlink(missing_ok=True)


class PtyLink(DescriptorLink):
    """One host's visit to a pty; bytes for nobody are not kept for the next."""

    def __init__(self, master: int) -> None:
        super().__init__(master, is_live=True)
        self._poll = select.poll()
        self._poll.register(master, select.POLLOUT)

    def write(self, raw: bytes) -> None:
        if any(event & select.POLLHUP for _fd, event in self._poll.poll(0)):
            raise LinkClosed
        super().write(raw)


class ListeningStand:
    """A TCP port that takes one host at a time."""

    def __init__(self, name: str) -> None:
        host, _, port = name.removeprefix("listen://").rpartition(":")
        if not port.isdecimal() or int(port) > 65_535:
            raise StreamError(
                f"{name}: expected listen://HOST:PORT, got another form; port 0 picks a free one"
            )
        try:
            self._listener = socket.create_server((host or "127.0.0.1", int(port)))
        except OSError as error:
            raise StreamError(
                f"{name}: expected a port that is free, got: {error.strerror or error}"
            ) from None
        at, number = self._listener.getsockname()[:2]
        self.address: str | None = f"socket://{at}:{number}"

    def host(self, timeout_s: float) -> Link | None:
        if not select.select([self._listener], [], [], timeout_s)[0]:
            return None
        connection, _from = self._listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setblocking(False)
        return DescriptorLink(connection.fileno(), connection, is_live=True)

    def close(self) -> None:
        self._listener.close()


class OpenStand:
    """A line that is there already: a cable, a socket, stdout."""

    address: str | None = None

    def __init__(self, link: Link, name: str) -> None:
        self._link = link
        self._name = name
        self._is_taken = False

    def host(self, timeout_s: float) -> Link | None:
        if self._is_taken:
            raise StreamError(f"{self._name}: expected a line that stays, got one that was closed")
        self._is_taken = True
        return self._link

    def close(self) -> None:
        self._link.close()


def open_stand(name: str, *, baud: int) -> Stand:
    """The device's end of what --port names."""
    if name == "pty" or name.startswith("pty:"):
        return PtyStand(Path(name[4:]) if name[4:] else None)
    if name.startswith("listen://"):
        return ListeningStand(name)
    if name == "-":
        return OpenStand(OutLink(sys.stdout.fileno(), is_live=False), "stdout")
    if Path(name).is_file():
        raise StreamError(f"{name}: expected {KINDS}, got a file; say --port - > {name}")
    return OpenStand(open_link(name, baud=baud), name)


class OutLink(DescriptorLink):
    """A pipe to which one can only write."""

    def read(self, timeout_s: float) -> bytes:
        select.select([], [], [], timeout_s)
        return b""


def _point(link: Path, name: str) -> None:
    """A lasting name for a pty, whose own changes from run to run."""
    try:
        if link.is_symlink():
            link.unlink()
        link.symlink_to(name)
    except OSError as error:
        raise StreamError(f"{link}: expected a place for a link to {name}, got: {error.strerror}") from None
