"""An emulated board on a port: its UART goes over a pty or TCP, at the pace of the clock on the wall."""

import time
from collections.abc import Callable

from benchmarks.mcu.link import Board
from device_sim.link import Link, LinkClosed
from device_sim.link_serve import Stand

SLICE_S = 0.02


def serve(
    board: Board,
    stand: Stand,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Host after host, until ctrl-C; nobody listening, its samples are taken all the same."""
    link: Link | None = None
    began_s = clock() - board.now_s
    while True:
        sent = board.go(SLICE_S)
        if link is None:
            link = stand.host(0.0)
        if link is not None:
            link = _passed(board, link, sent)
        sleep(max(0.0, began_s + board.now_s - clock()))


def _passed(board: Board, link: Link, sent: bytes) -> Link | None:
    """Both ways; None when the host is gone."""
    try:
        if sent:
            link.write(sent)
        heard = link.read(0.0)
    except LinkClosed:
        link.close()
        return None
    if heard:
        board.hear(heard)
    return link
