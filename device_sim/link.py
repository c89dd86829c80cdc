"""Opening a line to a device: serial port, pty, socket, pyserial URL, file or pipe; one way to read them."""

import errno
import io
import os
import select
import socket
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn, Protocol

from device_sim.contract.errors import StreamError

READ_BYTES = 65_536
WRITE_S = 10.0  # who does not read for so long is gone
BAUD = 115_200
CONNECT_S = 5.0


class LinkClosed(Exception):
    """The other end is gone: unplugged, hung up, or the file is at its end."""


class Link(Protocol):
    """An open line."""

    @property
    def is_live(self) -> bool:
        """A device that may come back after it is gone, and whose clock counts; a file is neither."""

    def read(self, timeout_s: float) -> bytes:
        """What came; nothing where nothing came in time. Raises LinkClosed."""

    def write(self, raw: bytes) -> None:
        """All of it. Raises LinkClosed."""

    def close(self) -> None: ...


class DescriptorLink:
    """Anything with a file descriptor: the select of the system does the waiting."""

    def __init__(self, descriptor: int, owner: Any = None, *, is_live: bool, already: bytes = b"") -> None:
        self._fd = descriptor
        self._room = memoryview(bytearray(READ_BYTES))  # kept: one cut to what came scatters the heap
        self._already = already  # what somebody else has read of it
        self._owner = owner  # closes the descriptor
        self.is_live = is_live

    def read(self, timeout_s: float) -> bytes:
        if self._already:
            already, self._already = self._already, b""
            return already
        try:
            if not select.select([self._fd], [], [], timeout_s)[0]:
                return b""
            n_bytes = os.readv(self._fd, [self._room])
        except (OSError, ValueError):
            raise LinkClosed from None  # EIO: the other end of a pty hung up, the adapter was pulled
        if not n_bytes:
            raise LinkClosed
        return self._room[:n_bytes].tobytes()

    def write(self, raw: bytes) -> None:
        rest = memoryview(raw)
        while rest:
            try:
                if not select.select([], [self._fd], [], WRITE_S)[1]:
                    raise LinkClosed
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:
                continue
            except (OSError, ValueError):
                raise LinkClosed from None

    def close(self) -> None:
        if self._owner is not None:
            with suppress(OSError):  # of what was pulled out there is nothing left to close
                self._owner.close()


class UrlLink:
    """A pyserial URL, such as loop:// or rfc2217://."""

    is_live = True

    def __init__(self, port: Any) -> None:
        self._port = port

    def read(self, timeout_s: float) -> bytes:
        try:
            self._port.timeout = timeout_s
            first: bytes = self._port.read(max(1, self._port.in_waiting))
        except OSError:
            raise LinkClosed from None
        return first

    def write(self, raw: bytes) -> None:
        try:
            self._port.write(raw)
        except OSError:
            raise LinkClosed from None

    def close(self) -> None:
        self._port.close()


def open_link(name: str, *, baud: int = BAUD) -> Link:
    """The line that a name stands for; one line about why not."""
    if name == "-":
        return DescriptorLink(sys.stdin.fileno(), is_live=False)
    if name.startswith("socket://"):
        return _socket(name)
    if "://" in name:
        return UrlLink(_url(name, baud))
    try:
        mode = os.stat(name).st_mode
    except OSError as error:
        _refuse(name, error)
    if stat.S_ISDIR(mode):
        raise StreamError(f"{name}: expected a port, got a directory; {_found()}")
    if stat.S_ISCHR(mode):
        port = _serial(name, baud)
        return DescriptorLink(port.fileno(), port, is_live=True)
    try:
        file = io.FileIO(name)
    except OSError as error:
        _refuse(name, error)
    return DescriptorLink(file.fileno(), file, is_live=False)


def frames_on_stdin() -> Link | None:
    """Stdin, where it begins with frames: no text holds a zero."""
    stream = sys.stdin.buffer
    if not isinstance(stream, io.BufferedReader) or b"\0" not in stream.peek():
        return None
    return DescriptorLink(stream.fileno(), is_live=False, already=stream.read(len(stream.peek())))


def _serial(name: str, baud: int) -> Any:
    """Opened for this process alone, so that two do not share one stream."""
    try:
        import serial
    except ModuleNotFoundError:
        raise StreamError(
            f"{name}: expected the package pyserial, found none; pip install pyserial"
        ) from None
    try:
        return serial.serial_for_url(name, baudrate=baud, timeout=0, exclusive=True)
    except ValueError as error:
        raise StreamError(f"{name}: expected a baud rate this port can do, got {baud}: {error}") from None
    except OSError as error:
        _refuse(name, error)


def _url(name: str, baud: int) -> Any:
    import serial

    try:
        return serial.serial_for_url(name, baudrate=baud, timeout=0)
    except ValueError as error:
        raise StreamError(
            f"{name}: expected a URL of pyserial, such as socket://HOST:PORT or rfc2217://HOST:PORT, "
            f"got: {_words(error)}"
        ) from None
    except OSError as error:
        raise StreamError(f"{name}: expected a port that opens, got: {_words(error)}") from None


def _socket(name: str) -> Link:
    host, _, port = name.removeprefix("socket://").rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise StreamError(f"{name}: expected socket://HOST:PORT, got another form")
    try:
        connection = socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_S)
    except UnicodeError:
        raise StreamError(f"{name}: expected socket://HOST:PORT, got no name of a host") from None
    except OSError as error:
        raise StreamError(
            f"{name}: expected a device that listens there, got: {error.strerror or error}; "
            "start it first, or correct host and port"
        ) from None
    connection.setblocking(False)
    return DescriptorLink(connection.fileno(), connection, is_live=True)


def _refuse(name: str, error: OSError) -> NoReturn:
    if error.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        raise StreamError(f"{name}: expected a serial port, found none there; {_found()}") from None
    if error.errno == errno.EACCES:
        raise StreamError(
            f"{name}: expected permission to open it, got none; "
            f"join its group: sudo usermod -aG {_group(name)} $USER, then log in again"
        ) from None
    if error.errno in (errno.EBUSY, errno.EAGAIN):
        raise StreamError(
            f"{name}: expected a free port, got one that another program holds; "
            f"close that program (fuser {name} names it)"
        ) from None
    if not _is_terminal(name):
        raise StreamError(f"{name}: expected a serial port, got a device that is none; {_found()}") from None
    raise StreamError(f"{name}: expected a port that opens, got: {_words(error)}") from None


def _is_terminal(name: str) -> bool:
    try:
        descriptor = os.open(name, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError:
        return True  # who knows
    try:
        return os.isatty(descriptor)
    finally:
        os.close(descriptor)


def _found() -> str:
    """What is plugged in."""
    from serial.tools.list_ports import comports

    found = sorted(port.device for port in comports())
    return f"found: {', '.join(found)}" if found else "found no serial port at all: is the cable in?"


def _group(name: str) -> str:
    import grp

    try:
        return grp.getgrgid(Path(name).stat().st_gid).gr_name
    except (OSError, KeyError):
        return "dialout"


def _words(error: Exception) -> str:
    strerror = getattr(error, "strerror", None)
    return " ".join(str(strerror or error).split())
