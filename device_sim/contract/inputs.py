"""What of the device's data a network sees, and which of its inputs takes which part."""

from collections.abc import Mapping
from enum import StrEnum

from device_sim.contract.errors import ContractError
from device_sim.contract.graph import Graph
from device_sim.contract.operators import Shape
from device_sim.contract.painting import CHANNELS, SIDE
from device_sim.contract.window import WindowSpec

ROWS, COLUMNS, HOP_SAMPLES = 32, 80, 16  # of the image; a column every 16 samples
BEAT_SAMPLES, RR_RATIOS = 128, 10


class InputKind(StrEnum):
    """A kind of input; a bundle has one."""

    IMAGE = "image"  # 80 columns of 32 codes, every hop
    BEAT = "beat"  # the second around an R peak and its difference from the usual one; intervals beside
    BLIND = "blind"  # one second of the 128 Hz stream, every hop, wherever the beats are
    SIGNAL = "signal"
    PICTURE = "picture"  # the image in colours, as large as photographs that a net has seen
    CODES = "codes"  # of a network from elsewhere: whatever its caller hands in


class Part(StrEnum):
    """What the device can hand to one input of a graph."""

    IMAGE = "image"
    SHAPE = "shape"
    RR = "rr"
    ROW = "row"
    PICTURE = "picture"


# The image lies in memory column by column: a map of 80 rows and 32 columns, or a row of 80 with 32 channels.
SHAPES: Mapping[Part, tuple[Shape, ...]] = {
    Part.IMAGE: ((1, COLUMNS, ROWS, 1), (1, 1, COLUMNS, ROWS)),
    Part.SHAPE: ((1, 1, BEAT_SAMPLES, 2),),
    Part.RR: ((1, RR_RATIOS), (1, 1, 1, RR_RATIOS)),
    Part.ROW: ((1, 1, BEAT_SAMPLES, 1), (1, BEAT_SAMPLES)),
    Part.PICTURE: ((1, SIDE, SIDE, CHANNELS),),
}
# What a kind must have, and what it may have beside.
PARTS: Mapping[InputKind, tuple[frozenset[Part], frozenset[Part]]] = {
    InputKind.IMAGE: (frozenset({Part.IMAGE}), frozenset()),
    InputKind.BEAT: (frozenset({Part.SHAPE}), frozenset({Part.RR})),
    InputKind.BLIND: (frozenset({Part.ROW}), frozenset()),
    InputKind.PICTURE: (frozenset({Part.PICTURE}), frozenset()),
}
IMAGES = (InputKind.IMAGE, InputKind.PICTURE)  # cut from the ring of columns


def parts_of(kind: InputKind, graph: Graph) -> dict[str, Part]:
    """Input name -> what it is fed; told by the shapes, which are all different."""
    if kind not in PARTS:
        raise ContractError(f"input: expected one of {', '.join(PARTS)}, got {kind}: nothing feeds it yet")
    must, may = PARTS[kind]
    found: dict[str, Part] = {}
    for name in graph.inputs:
        shape = graph.tensor(name).shape
        fits = [part for part in must | may if shape in SHAPES[part] and part not in found.values()]
        if not fits:
            known = " or ".join(str(one) for part in sorted(must | may) for one in SHAPES[part])
            raise ContractError(
                f"graph: input {name!r}: expected a shape of {known} (input {kind}), got {shape}"
            )
        found[name] = fits[0]
    missing = must - set(found.values())
    if missing:
        raise ContractError(f"graph: inputs: expected one for the {min(missing)} (input {kind}), found none")
    return found


def check_window(kind: InputKind, window: WindowSpec) -> None:
    """The device cuts each kind in one way only; the hop is the bundle's."""
    rate_hz, length, unit_uv = (256, COLUMNS * HOP_SAMPLES, 1) if kind in IMAGES else (128, 128, 32)
    step = HOP_SAMPLES if kind in IMAGES else 1
    for name, expected in (("rate_hz", rate_hz), ("length_samples", length), ("uv_per_lsb", unit_uv)):
        if getattr(window, name) != expected:
            raise ContractError(
                f"window.{name}: expected {expected} (input {kind}), got {getattr(window, name)}"
            )
    if window.hop_samples % step:
        raise ContractError(
            f"window.hop_samples: expected a multiple of {step} (input {kind}), got {window.hop_samples}"
        )
