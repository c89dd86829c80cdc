"""The server behind a live page: one source, its page, and a websocket for each reader."""

import asyncio
import os
import signal
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from device_sim import live_wire
from device_sim.contract.errors import StreamError, WristleadError
from device_sim.fan import Fan, Listener
from device_sim.live import HeartRate, Live
from device_sim.live_guard import refusal
from device_sim.live_page import live_page

if TYPE_CHECKING:
    from aiohttp import web

MAX_LISTENERS = 32
STATE_EVERY_S = 0.5
HEARTBEAT_S = 15.0  # a reader that does not answer for so long is gone
CLOSE_S = 1.0  # until a reader that is told the end has answered
JOIN_S = 2.0


def run(server: "Server", host: str, port: int) -> None:
    """Until a signal."""
    asyncio.run(server.run(host, port))


class Server:
    """One live source, one page, any number of readers."""

    def __init__(self, live: Live, *, token: str | None) -> None:
        from aiohttp import web

        self._web = web
        self._live, self._token = live, token
        self._fan = Fan()
        self._page = live_page(live.source.name).encode()
        self._sockets: set[web.WebSocketResponse] = set()
        self._failed = ""  # why the source ended, where it did not simply end

    async def run(self, host: str, port: int) -> None:
        """Until a signal."""
        loop, stopped = asyncio.get_running_loop(), asyncio.Event()
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, stopped.set)
        app = self._web.Application()
        app.add_routes([self._web.get("/", self._show), self._web.get("/stream", self._stream)])
        runner = self._web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        reader = threading.Thread(target=self._read, args=(loop,), daemon=True)
        try:
            try:
                await self._web.TCPSite(runner, host, port).start()
            except (OSError, UnicodeError) as error:
                why = _why(error)
                raise StreamError(f"{host}:{port}: expected an address to listen on, got: {why}") from None
            print(f"the page is at {self._url(runner)}", file=sys.stderr, flush=True)
            reader.start()
            await stopped.wait()
        finally:
            self._live.stop()
            closing = [one.close(code=1001, message=b"stopped") for one in self._sockets]
            await asyncio.gather(*closing, return_exceptions=True)  # who is gone already is closed too
            await runner.cleanup()
            if reader.ident is not None:
                await asyncio.to_thread(reader.join, JOIN_S)
        print("stopped", file=sys.stderr)

    def _url(self, runner: "web.AppRunner") -> str:
        host, port = runner.addresses[0][:2]
        at = f"[{host}]" if ":" in host else host
        return f"http://{at}:{port}/" + (f"?token={self._token}" if self._token else "")

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        """The thread of the source: it waits for nobody."""
        rate, rate_hz = HeartRate(), self._live.source.rate_hz
        try:
            for moment in self._live:
                loop.call_soon_threadsafe(self._fan.publish, live_wire.told(moment, rate, rate_hz))
        except WristleadError as error:
            self._failed = str(error)
            print(error, file=sys.stderr, flush=True)
        except RuntimeError:
            if not loop.is_closed():  # stopped between two moments
                raise

    def _guard(self, request: "web.Request") -> None:
        why = refusal(
            host=request.host,
            origin=request.headers.get("Origin"),
            token=request.query.get("token", ""),
            expected=self._token,
        )
        if why:
            raise self._web.HTTPForbidden(text=why + "\n")

    async def _show(self, request: "web.Request") -> "web.Response":
        self._guard(request)
        headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"}
        return self._web.Response(body=self._page, content_type="text/html", charset="utf-8", headers=headers)

    async def _stream(self, request: "web.Request") -> "web.StreamResponse":
        """Moments as they come and the state of the line, until the reader leaves."""
        self._guard(request)
        if len(self._sockets) >= MAX_LISTENERS:
            raise self._web.HTTPServiceUnavailable(text=f"{MAX_LISTENERS} look already\n")
        socket = self._web.WebSocketResponse(
            timeout=CLOSE_S, heartbeat=HEARTBEAT_S, max_msg_size=1024, compress=False
        )
        await socket.prepare(request)
        self._sockets.add(socket)
        listener = self._fan.join()
        sending = asyncio.create_task(self._send(socket, listener, live_wire.hello(self._live)))
        try:
            async for _message in socket:
                pass  # a reader has nothing to say; its end is what is waited for
        finally:
            sending.cancel()
            with suppress(asyncio.CancelledError, ConnectionError):
                await sending
            self._fan.leave(listener)
            self._sockets.discard(socket)
        return socket

    async def _send(self, socket: "web.WebSocketResponse", listener: Listener, greeting: str) -> None:
        """Each text when the one before it is out: a full line makes only this reader late."""
        with suppress(ConnectionError):
            await socket.send_str(greeting)
            last = ""
            while True:
                text = None
                with suppress(TimeoutError):
                    text = await asyncio.wait_for(listener.next(), STATE_EVERY_S)
                if text is not None:
                    await socket.send_str(text)
                now = live_wire.state(self._live, n_dropped=listener.n_dropped, failed=self._failed)
                if now != last:
                    await socket.send_str(now)
                    last = now


def _why(error: OSError | UnicodeError) -> str:
    """asyncio wraps what the system says of a port; a name that nobody knows has a negative number."""
    if isinstance(error, UnicodeError):
        return "no name of a host"
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or str(error)
