"""A page that shows a device live: its ECG, what the network says, and how the line is."""

import argparse
import secrets
import sys
from collections.abc import Sequence

from device_sim import options
from device_sim.contract.errors import ContractError, WristleadError
from device_sim.live import Live
from device_sim.live_guard import is_loopback
from device_sim.live_source import add_options, live_of

COMMAND = "wristlead serve"
MISSING = "it needs the package `aiohttp`: pip install 'wristlead[serve]'"
LISTEN = "127.0.0.1:8480"
EPILOG = f"""\
The page is at http://{LISTEN}/ unless --listen says otherwise; port 0 takes a free one. On another address
than this machine's own it is guarded by a token, made anew at each start and part of the address that is
printed. A reader too slow for the stream misses its oldest quarter seconds; the stream waits for nobody. A
device that is unplugged is waited for, as long as --wait says or without end, and the page says so. ctrl-C
ends it."""


def main(argv: Sequence[str]) -> int:
    """0 when it was stopped; 2 where it could not begin."""
    args = options.with_bundle(_parser().parse_args(argv), command=COMMAND)
    host, port = _address(args.listen)
    with live_of(args, command=COMMAND) as live:
        _serve(live, host, port)
    return 0


def _serve(live: Live, host: str, port: int) -> None:
    """The page goes out in the clear: without TLS, which asyncio and aiohttp load where it is, 4 MB less."""
    has_tls = "ssl" in sys.modules
    sys.modules.setdefault("ssl", None)  # type: ignore[arg-type]
    try:
        from device_sim.server import Server, run

        server = Server(live, token=None if is_loopback(host) else secrets.token_urlsafe(16))
    except ModuleNotFoundError as error:
        if str(error.name).split(".")[0] != "aiohttp":
            raise
        raise WristleadError(f"{COMMAND}: {MISSING}") from None
    finally:
        if not has_tls:
            del sys.modules["ssl"]
    run(server, host, port)


def _parser() -> argparse.ArgumentParser:
    parser = options.OneLineParser(
        prog=COMMAND,
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--listen", default=LISTEN, metavar="HOST:PORT", help=f"default: {LISTEN}")
    add_options(parser)
    return parser


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise ContractError(f"{COMMAND}: --listen: expected HOST:PORT, such as {LISTEN}, got {text!r}")
    return host.strip("[]"), int(port)
