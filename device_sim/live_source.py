"""What `serve` and `watch` listen to: a device for as long as it takes, or a recording in real time."""

import argparse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from device_sim import options
from device_sim.contract.errors import ContractError
from device_sim.link_meet import WAIT_S
from device_sim.link_source import LinkSource
from device_sim.live import Live, Paced
from device_sim.pipeline import open_bundle
from device_sim.runner import Backend
from device_sim.text_file import TextStream

WAIT = (
    f"how long its HELLO is waited for (default: {WAIT_S:g}), "
    "and a device that is silent or unplugged later (default: without end)"
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """A bundle and a source, as `wristlead run` takes them."""
    parser.add_argument("bundle", nargs="?", metavar="BUNDLE", help="folder written by `wristlead export`")
    parser.add_argument(
        "--backend", choices=[backend.value for backend in Backend], help="who runs it (default: core)"
    )
    options.add_source_options(parser)
    parser.add_argument(
        "--once", action="store_true", help="a recording ends at its end, instead of beginning again"
    )
    options.add_port_options(parser, wait=WAIT)
    options.add_file_options(parser)
    options.add_scene_options(parser)


@contextmanager
def live_of(args: argparse.Namespace, *, command: str) -> Iterator[Live]:
    """The source through the bundle, if one is named; the bundle is closed with the block."""
    with ExitStack() as stack:
        opened = None
        if args.bundle:
            opened = stack.enter_context(open_bundle(args.bundle, args.backend or Backend.CORE))
        yield Live(live_source_of(args, command=command), opened)


def live_source_of(args: argparse.Namespace, *, command: str) -> LinkSource | Paced:
    """Whoever is unplugged is waited for without end, unless --wait says how long."""
    if args.seconds is not None and not args.synthetic:
        raise ContractError(
            f"{command}: --seconds: means nothing here but to --synthetic; end it with ctrl-C"
        )
    source = options.source_of(args, command=command, patience_s=float("inf"))
    if isinstance(source, LinkSource):
        if args.once:
            raise ContractError(f"{command}: --once: means nothing to a device; leave it out")
        return source
    return Paced(source, once=args.once or isinstance(source, TextStream))
