"""One teller, many listeners: each hears what is newest, and none makes anybody wait or anything grow."""

import asyncio
from collections import deque

KEPT = 240  # moments that who joins is told first: a minute
QUEUE = 40  # moments a listener may be behind: ten seconds


class Listener:
    """What one client has still to be sent; the oldest is dropped where it is too slow."""

    def __init__(self) -> None:
        self._waiting: deque[str] = deque(maxlen=QUEUE)
        self._something = asyncio.Event()
        self.n_dropped = 0

    def offer(self, text: str) -> None:
        self.n_dropped += len(self._waiting) == QUEUE
        self._waiting.append(text)
        self._something.set()

    async def next(self) -> str:
        """The oldest that is still there."""
        while not self._waiting:
            self._something.clear()
            await self._something.wait()
        return self._waiting.popleft()


class Fan:
    """The newest minute, and whoever listens now."""

    def __init__(self) -> None:
        self._past: deque[str] = deque(maxlen=KEPT)
        self._listeners: set[Listener] = set()

    def publish(self, text: str) -> None:
        self._past.append(text)
        for listener in self._listeners:
            listener.offer(text)

    def join(self) -> Listener:
        """Begins with the newest minute, as lines of one text."""
        listener = Listener()
        if self._past:
            listener.offer("\n".join(self._past))
        self._listeners.add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        self._listeners.discard(listener)
