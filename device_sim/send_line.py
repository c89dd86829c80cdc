"""What a bad line does to frames: a seeded script of flips, losses, copies, swaps, stalls and restarts."""

import math
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields

from device_sim.contract.errors import ContractError

CLAUSE = re.compile(r"^([a-z_]+)=([-+]?[\d.]+(?:e-?\d+)?)$")
LONGEST_STALL_S = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class LineFaults:
    """How often each fault happens: a share of the bytes or of the frames; 0 is a good line."""

    flip: float = 0.0  # of the bytes: one bit
    drop: float = 0.0  # of the bytes
    lose: float = 0.0  # of the frames, whole
    copy: float = 0.0  # of the frames: twice
    swap: float = 0.0  # of the frames: after the next one
    noise: float = 0.0  # of the frames: random bytes in front
    stall: float = 0.0  # of the frames: a pause before, then all at once
    restart: float = 0.0  # of the frames: the device resets itself
    drift_ppm: float = 0.0  # of the device's clock

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "drift_ppm":
                if not abs(value) <= 500_000:
                    raise ContractError(
                        f"--line drift_ppm: expected at most 500000 either way, got {value:g}"
                    )
            elif not 0 <= value <= 1:
                raise ContractError(f"--line {field.name}: expected a share of 0..1, got {value:g}")


def line_faults(text: str) -> LineFaults:
    """`flip=1e-4,lose=0.01` as a script."""
    names = {field.name for field in fields(LineFaults)}
    said: dict[str, float] = {}
    for clause in filter(None, text.split(",")):
        found = CLAUSE.match(clause)
        if not found or found[1] not in names:
            raise ContractError(
                f"--line: expected KIND=SHARE,.. of {', '.join(sorted(names))}, got {clause[:40]!r}"
            )
        said[found[1]] = float(found[2])
    return LineFaults(**said)


class FaultyLine:
    """Frames in, in order; out comes what reaches the other end."""

    def __init__(self, faults: LineFaults, seed: int) -> None:
        self._faults = faults
        self._chance = random.Random(seed)
        self._held: bytes | None = None
        self.n_faults = 0
        self.is_quiet = faults == LineFaults(drift_ppm=faults.drift_ppm)

    def passed(self, frame: bytes) -> bytes:
        """What one frame becomes, with one that was held back."""
        if self.is_quiet:
            return frame
        faults, chance = self._faults, self._chance
        out = frame
        if self._happens(faults.lose):
            out = b""
        if self._happens(faults.copy):
            out += frame
        out = self._scratched(out)
        if self._happens(faults.noise):
            out = chance.randbytes(chance.randrange(1, 300)) + out
        if self._held is not None:
            held, self._held = self._held, None
            return out + held
        if self._happens(faults.swap):
            self._held = out
            return b""
        return out

    def stall_s(self) -> float:
        """How long the device is silent before the next frame."""
        return self._chance.uniform(0.1, LONGEST_STALL_S) if self._happens(self._faults.stall) else 0.0

    def restarts(self) -> bool:
        """Whether the device resets itself before the next frame."""
        return self._happens(self._faults.restart)

    def rest(self) -> bytes:
        """What is still held back at the end."""
        held, self._held = self._held or b"", None
        return held

    def _scratched(self, raw: bytes) -> bytes:
        """Bits flipped and bytes lost."""
        out = bytearray(raw)
        for at in self._hits(len(out), self._faults.flip):
            out[at] ^= 1 << self._chance.randrange(8)
        for at in reversed(list(self._hits(len(out), self._faults.drop))):
            del out[at]
        return bytes(out)

    def _hits(self, n: int, share: float) -> Iterator[int]:
        """Places among n where a fault of that share happens, by the distance from one to the next."""
        if share <= 0:
            return
        at = -1
        while True:
            distance = 0 if share >= 1 else int(math.log(1 - self._chance.random()) / math.log1p(-share))
            at += 1 + distance
            if at >= n:
                return
            self.n_faults += 1
            yield at

    def _happens(self, share: float) -> bool:
        happens = share > 0 and self._chance.random() < share
        self.n_faults += happens
        return happens
