"""How far a long command is: a line that rewrites itself on a terminal, lines now and then in a log."""

import time
from collections.abc import Callable
from typing import TextIO

QUIET_S = 1.0  # a line at most this often


def teller(stream: TextIO) -> Callable[[str], None]:
    is_terminal = stream.isatty()
    last_s = -QUIET_S

    def tell(text: str) -> None:
        nonlocal last_s
        now_s = time.monotonic()
        if now_s - last_s < QUIET_S:
            return
        last_s = now_s
        stream.write(f"\r\033[K{text}" if is_terminal else f"{text}\n")
        stream.flush()

    return tell
