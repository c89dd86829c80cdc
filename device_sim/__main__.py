"""The door: `wristlead` finds the room that a command belongs to."""

import errno
import importlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from device_sim.contract.errors import WristleadError, printable

INTERRUPTED = 130  # 128 + SIGINT, as a shell counts
BUG = "This is a bug of wristlead, not of what it was asked: please report it with these lines."
OWN = Path(__file__).resolve().parent
# Of a stream that has no name, such as stdout: disk full or broken, nothing left to open or to hold.
FULL_OR_BROKEN = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO),
    *(errno.EMFILE, errno.ENFILE, errno.ENOMEM),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Where a command lives, and what opens it."""

    module: str
    summary: str
    install: str = "pip install wristlead"


ABOUT = "Small ECG classifiers in integers, on the desk and on the device. Not a medical device."
HEADINGS = {
    "device_sim": "run, on any machine",
    "training": "train, in a checkout",
    "export": "export, in a checkout",
    "benchmarks": "cost, in a checkout",
}
CHECKOUT = "in a checkout of wristlead: pip install -c constraints.txt -e"
ROOMS = {
    "run": Room(module="device_sim.cli", summary="an ECG into verdicts: a recording, a device, synthetic"),
    "serve": Room(
        module="device_sim.serve",
        summary="a page that shows a device live",
        install="pip install 'wristlead[serve]'",
    ),
    "watch": Room(module="device_sim.watch", summary="a device live in the terminal"),
    "report": Room(module="device_sim.report", summary="one page about a bundle and a recording"),
    "send": Room(module="device_sim.send", summary="play a recording on a port, as a device would"),
    "simulate-device": Room(
        module="device_sim.simulated_device", summary="a device without hardware, on a pty or TCP port"
    ),
    "verify": Room(module="device_sim.verify", summary="compare a device on a port with its bundle"),
    "show": Room(module="device_sim.show", summary="print what a bundle or a recording holds"),
    "train": Room(module="training.cli", summary="train a recipe", install=f"{CHECKOUT} '.[train]'"),
    "data": Room(
        module="training.data.cli", summary="check or fetch the sets", install=f"{CHECKOUT} '.[train]'"
    ),
    "evaluate": Room(
        module="training.protocols.cli",
        summary="judge finished weights, print results again",
        install=f"{CHECKOUT} '.[train]'",
    ),
    "peaks": Room(
        module="training.protocols.peaks",
        summary="judge the R-peak detector beside a public one",
        install=f"{CHECKOUT} '.[train]'",
    ),
    "gating": Room(
        module="training.protocols.gating",
        summary="judge beats behind the quality gate, under noise in bursts",
        install=f"{CHECKOUT} '.[train]'",
    ),
    "export": Room(
        module="export.cli",
        summary="write a checkpoint as a bundle, a bundle as C",
        install=f"{CHECKOUT} '.[export]'",
    ),
    "calibrate": Room(
        module="export.calibrate_cli",
        summary="find ranges of what ships, from recordings",
        install=f"{CHECKOUT} '.[train,export]'",
    ),
    "compare": Room(
        module="export.compare_cli",
        summary="int8 beside float on recordings, verdict by verdict",
        install=f"{CHECKOUT} '.[train,export]'",
    ),
    "measure": Room(
        module="export.measure_cli",
        summary="a bundle's figures once more, from recordings, for the gate",
        install=f"{CHECKOUT} '.[train,export]'",
    ),
    "parity": Room(
        module="export.parity",
        summary="run a bundle in every runtime, byte by byte",
        install=f"{CHECKOUT} '.[export]'",
    ),
    "bench": Room(
        module="benchmarks.cli", summary="count cost and size, beside others", install=f"{CHECKOUT} '.[mcu]'"
    ),
    "mcu": Room(
        module="benchmarks.mcu_cli",
        summary="images, cost and checks on microcontrollers",
        install=f"{CHECKOUT} '.[mcu]'",
    ),
    "replay": Room(
        module="benchmarks.realtime_cli",
        summary="a recording in real time on a modelled board",
        install=f"{CHECKOUT} '.[mcu]'",
    ),
    "gate": Room(
        module="benchmarks.gate_cli",
        summary="hold a bundle's cost against a budget",
        install=f"{CHECKOUT} '.[mcu]'",
    ),
}


def main(argv: Sequence[str] | None = None) -> int:
    """0: done; 1: a budget or a check failed; 2: the request made no sense."""
    if argv is not None:
        return _answer(list(argv))
    with _stopped_as_interrupted():
        return _answer(sys.argv[1:])


@contextmanager
def _stopped_as_interrupted() -> Iterator[None]:
    """SIGTERM, as a service manager sends it, ends a command as ctrl-C does, files whole; then it kills."""
    told: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        told.append(number)
        heeds = signal.getsignal(signal.SIGINT)
        if not callable(heeds):  # born in the background of a script
            raise KeyboardInterrupt
        heeds(signal.SIGINT, frame)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        if told:
            _leave_unsaid()
            signal.raise_signal(signal.SIGTERM)


def _answer(arguments: list[str]) -> int:
    try:
        code = _enter(arguments)
        if sys.stdout is not None:  # whoever started this may have closed it
            sys.stdout.flush()
    except WristleadError as error:
        print(printable(" ".join(str(error).split("\n"))), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader had enough, as `| head` does; what is still buffered must not complain at exit.
        _leave_unsaid()
        return 0
    except OSError as error:
        if not _is_of_the_system(error):
            error.add_note(BUG)
            raise
        where = f"{error.filename}: " if error.filename else ""
        print(printable(f"wristlead: {where}{error.strerror}"), file=sys.stderr)
        _leave_unsaid()
        return 2
    except Exception as error:
        error.add_note(BUG)
        raise
    return code


def _is_of_the_system(error: OSError) -> bool:
    """What no room foresaw: a full disk, a folder that may not be read; not a lost file of our own."""
    if error.filename is None:
        return error.errno in FULL_OR_BROKEN
    return error.errno is not None and OWN not in Path(os.fsdecode(error.filename)).resolve().parents


def _leave_unsaid() -> None:
    """What stdout still buffers goes nowhere, so that the interpreter's end does not fail on it."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _enter(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_manual())
        return 0 if arguments else 2
    if arguments[0] == "--version":
        print(f"wristlead {_version()}")
        return 0
    command, rest = arguments[0], arguments[1:]
    if command not in ROOMS:
        raise WristleadError(
            f"wristlead: expected a command ({', '.join(ROOMS)}), got {command!r}; see --help"
        )
    return _run(command, rest)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("wristlead")
    except PackageNotFoundError:
        return "from a checkout that is not installed"


def _run(command: str, rest: list[str]) -> int:
    room = ROOMS[command]
    try:
        return int(importlib.import_module(room.module).main(rest))
    except ModuleNotFoundError as error:
        # A bug inside the room is not a missing room: only names from outside it are excused.
        missing = str(error.name)
        if missing.split(".")[0] == "device_sim":
            raise
        own = room.module.split(".")[0]
        what = f"room `{own}`" if missing.split(".")[0] == own else f"package `{missing}`"
        raise WristleadError(
            f"wristlead {command}: expected the {what}, found none; {room.install}"
        ) from None


def _manual() -> str:
    lines = ["usage: wristlead COMMAND ...", "", ABOUT]
    for own, heading in HEADINGS.items():
        lines += ["", f"{heading}:"]
        lines += [
            f"  {command:17}{room.summary}"
            for command, room in ROOMS.items()
            if room.module.split(".")[0] == own
        ]
    return "\n".join([*lines, "", "wristlead COMMAND --help tells more"])


if __name__ == "__main__":
    sys.exit(main())
