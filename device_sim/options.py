"""What `wristlead run` and `wristlead show` can be told, and the source that follows from it."""

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from device_sim.contract.errors import ContractError
from device_sim.files import read_recording
from device_sim.link import BAUD, frames_on_stdin
from device_sim.link_meet import WAIT_S
from device_sim.link_source import LinkSource
from device_sim.recording import UNITS, ReadAs
from device_sim.sources import Source
from device_sim.synthetic import MORPHOLOGIES, Fault, Noise, Scene, SyntheticSource, example_scene
from device_sim.text_file import TextStream

T = TypeVar("T")
SCENES = ("example", *MORPHOLOGIES)
NUMBER = r"\d+\.?\d*|\.\d+"
FAULT = re.compile(rf"^(lead_off|rail|flat|gap|step)@({NUMBER})(?:\+({NUMBER}))?(?:=(-?(?:{NUMBER})))?$")
NOISE = re.compile(rf"^(white|mains|wander|emg)=({NUMBER})$")
DEFAULT_SECONDS = 30.0
# A minute of a recording at a time: what a piece costs beside its samples counts no more, memory stays small.
FILE_BLOCK_SAMPLES = 16_384
# Options that only one kind of source understands: given to the other, they are a mistake.
FILE_OPTIONS = ("units", "gain", "lead", "dtype", "rails")
SCENE_OPTIONS = ("scene", "seed", "heart_rate", "noise", "fault")
PORT_OPTIONS = ("baud", "wait", "unpaced")
WAIT = f"how long a device may be silent or unplugged before the run ends (default: {WAIT_S:g})"


class OneLineParser(argparse.ArgumentParser):
    """Refuses in one line, as everything here does."""

    def error(self, message: str) -> NoReturn:
        raise ContractError(f"{self.prog}: {message}; see {self.prog} --help")


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """Where samples come from, and for how long."""
    source = parser.add_argument_group("source, one of")
    source.add_argument("--synthetic", action="store_true", help="the built-in generator")
    source.add_argument(
        "--file", type=Path, help="recording: .hea .edf .csv .txt .npz .npy .i16 .i32 .raw .mat"
    )
    source.add_argument(
        "stdin", nargs="?", choices=("-",), metavar="-", help="text or frames on stdin, as they come"
    )
    source.add_argument(
        "--port", metavar="PORT", help="a device: /dev/ttyACM0, a pty, socket://HOST:PORT, loop://, a capture"
    )
    parser.add_argument("--seconds", type=_seconds, metavar="N", help="stop after N seconds (synthetic: 30)")


def add_evidence_options(parser: argparse.ArgumentParser) -> None:
    """What a page about a bundle also shows."""
    group = parser.add_argument_group(
        "a page's evidence (default: what the checkout holds of this very bundle)"
    )
    group.add_argument(
        "--cost", type=Path, metavar="F.json", help="counted cost: a baseline of `wristlead gate`"
    )
    group.add_argument(
        "--changed", type=Path, metavar="F.json", help="verdicts that int8 changes, by `wristlead compare`"
    )


def add_file_options(parser: argparse.ArgumentParser) -> None:
    """What a file may not say about itself."""
    group = parser.add_argument_group("a file that does not say it itself")
    group.add_argument("--rate", type=_rate, metavar="HZ", help="samples per second")
    group.add_argument("--units", choices=UNITS, help="what the numbers count (default: uV)")
    group.add_argument("--gain", type=_gain, metavar="G", help="ADC counts per mV, with --units adc")
    group.add_argument("--lead", metavar="NAME", help="signal, column or array to take")
    group.add_argument("--dtype", choices=("int16", "int32"), help="samples of a raw file, little-endian")
    group.add_argument(
        "--rails", type=_rails, metavar="LOW:HIGH", help="the converter's lowest and highest count"
    )


def add_port_options(parser: argparse.ArgumentParser, *, wait: str = WAIT) -> None:
    """How to listen to a device."""
    group = parser.add_argument_group("a device on a port")
    group.add_argument("--baud", type=baud, metavar="N", help=f"bits per second (default: {BAUD})")
    group.add_argument("--wait", type=float, metavar="S", help=wait)
    group.add_argument(
        "--unpaced",
        action="store_true",
        default=None,
        help="do not check its rate against the clock: for lines of text that come from a recording",
    )


def add_scene_options(parser: argparse.ArgumentParser) -> None:
    """What the generator plays."""
    group = parser.add_argument_group("the synthetic ECG")
    group.add_argument("--scene", choices=SCENES, help="default: example, with a stretch of every fault")
    group.add_argument(
        "--seed", type=_seed, metavar="N", help="the same seed gives the same samples (default: 1)"
    )
    group.add_argument("--heart-rate", type=float, metavar="BPM", help="default: 70")
    group.add_argument(
        "--noise",
        type=_noise,
        action="append",
        metavar="KIND=UV",
        help="white, mains, wander or emg noise of so many uV RMS; may be repeated",
    )
    group.add_argument(
        "--fault",
        type=_fault,
        action="append",
        metavar="KIND@START+SECONDS",
        help="lead_off, rail, flat or gap; step@START=UV is an electrode offset",
    )


def read_as(args: argparse.Namespace) -> ReadAs:
    """The file options as the readers take them."""
    return ReadAs(
        rate_hz=args.rate,
        units=args.units,
        gain_per_mv=args.gain,
        lead=args.lead,
        dtype=args.dtype,
        rails_counts=args.rails,
    )


def with_bundle(args: argparse.Namespace, *, command: str = "wristlead run") -> argparse.Namespace:
    """The same arguments, told apart: a lone `-` is stdin and no folder, and a backend needs a bundle."""
    if args.bundle == "-":
        args.bundle, args.stdin = None, "-"
    if args.bundle is None:
        if args.backend is not None:
            raise ContractError(f"{command}: --backend: expected a bundle beside it, got none")
        return args
    args.bundle = Path(args.bundle)
    if not args.bundle.is_dir():
        found = "a file; name a recording with --file" if args.bundle.exists() else "none"
        raise ContractError(f"{args.bundle}: expected a folder written by `wristlead export`, found {found}")
    return args


def has_source(args: argparse.Namespace) -> bool:
    return bool(args.synthetic or args.file or args.port or args.stdin)


def source_of(
    args: argparse.Namespace, *, command: str = "wristlead run", patience_s: float | None = None
) -> Source:
    """The one source the arguments name; patience is for a device that was met and went silent."""
    named = [args.synthetic, args.file is not None, args.port is not None, args.stdin is not None]
    if sum(named) != 1:
        raise ContractError(
            f"{command}: expected one of --synthetic, --file FILE, --port PORT and - (stdin), "
            f"got {sum(named)}"
        )
    if args.port is not None:
        return link_source_of(args, command=command, patience_s=patience_s)
    refuse(args, PORT_OPTIONS, "--synthetic" if args.synthetic else "a recording", command=command)
    if args.synthetic:
        refuse(args, FILE_OPTIONS, "--synthetic", command=command)
        return SyntheticSource(scene_of(args), seed=1 if args.seed is None else args.seed)
    refuse(args, SCENE_OPTIONS, "a recording", command=command)
    if args.stdin is not None or str(args.file) == "-":
        if args.dtype is not None:
            raise ContractError("stdin: --dtype: expected text on stdin; name a raw file with --file")
        if sys.stdin is None:
            raise ContractError("stdin: expected samples, found it closed")
        frames = frames_on_stdin()
        if frames is not None:
            return LinkSource("-", read_as(args), open_line=lambda name, baud: frames)
        return TextStream(sys.stdin.buffer, read_as(args))
    return read_recording(args.file, read_as(args)).source(block_samples=FILE_BLOCK_SAMPLES)


def link_source_of(args: argparse.Namespace, *, command: str, patience_s: float | None) -> LinkSource:
    """The device on a port, met."""
    refuse(args, SCENE_OPTIONS, "--port", command=command)
    if args.wait is not None and not 0 < args.wait < float("inf"):
        raise ContractError(f"{command}: --wait: expected seconds above 0, got {args.wait:g}")
    return LinkSource(
        args.port,
        read_as(args),
        baud=args.baud or BAUD,
        wait_s=args.wait or WAIT_S,
        patience_s=args.wait or patience_s,
        is_unpaced=bool(args.unpaced),
    )


def scene_of(args: argparse.Namespace) -> Scene:
    """The scene, with what the caller added to it."""
    seconds = DEFAULT_SECONDS if args.seconds is None else args.seconds
    rate_hz = 256 if args.rate is None else args.rate
    if args.scene in (None, "example"):
        scene = example_scene(rate_hz=rate_hz, seconds=seconds)
    else:
        scene = Scene(rate_hz=rate_hz, seconds=seconds, morphology=args.scene)
    if args.heart_rate is not None:
        scene = replace(scene, heart_rate_bpm=args.heart_rate)
    for fault in args.fault or ():
        if fault.start_s >= seconds:
            raise ContractError(
                f"synthetic: fault {fault.kind}: expected it within {seconds:g} s, got {fault.start_s:g} s"
            )
    return replace(
        scene,
        noises=scene.noises + tuple(args.noise or ()),
        faults=scene.faults + tuple(args.fault or ()),
    )


def refuse(
    args: argparse.Namespace, options: Sequence[str], beside: str, *, command: str = "wristlead run"
) -> None:
    """Options that this source does not understand, where any was given."""
    for option in options:
        if getattr(args, option) is not None:
            raise ContractError(
                f"{command}: --{option.replace('_', '-')}: means nothing to {beside}; leave it out"
            )


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return seconds


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number of 0 or more, got {text!r}")
    return int(text)


def _rate(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected whole samples per second, got {text!r}")
    return int(text)


def baud(text: str) -> int:
    """Bits per second of a serial port."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected whole bits per second, got {text!r}")
    return int(text)


def _gain(text: str) -> Fraction:
    try:
        gain = Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise argparse.ArgumentTypeError(f"expected counts per mV, got {text!r}") from None
    if gain <= 0:
        raise argparse.ArgumentTypeError(f"expected counts per mV above 0, got {text}")
    return gain


def _rails(text: str) -> tuple[int, int]:
    found = re.match(r"^(-?\d+):(-?\d+)$", text)
    if not found or int(found[1]) >= int(found[2]):
        raise argparse.ArgumentTypeError(f"expected LOW:HIGH, such as --rails=-2048:2047, got {text!r}")
    return int(found[1]), int(found[2])


def _noise(text: str) -> Noise:
    found = NOISE.match(text)
    if not found:
        raise argparse.ArgumentTypeError(f"expected KIND=UV, such as mains=50, got {text!r}")
    return _made(lambda: Noise(kind=_kind(found[1]), level_uv=float(found[2])))


def _fault(text: str) -> Fault:
    found = FAULT.match(text)
    if not found or (found[1] == "step") == (found[4] is None) or float(found[3] or 1) == 0:
        raise argparse.ArgumentTypeError(f"expected rail@10+2 or step@10=200000, got {text!r}")
    return _made(
        lambda: Fault(
            kind=_kind(found[1]),
            start_s=float(found[2]),
            seconds=float(found[3] or 0),
            level_uv=float(found[4] or 0),
        )
    )


def _made(make: Callable[[], T]) -> T:
    """In the words of what refuses it: of a ValueError, argparse would say its own."""
    try:
        return make()
    except ContractError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _kind(text: str) -> Any:
    return text  # the expression that matched lists the kinds
