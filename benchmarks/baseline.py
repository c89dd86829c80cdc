"""What a bundle cost when somebody last agreed to it; committed, and moved down on purpose."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from device_sim.contract.errors import ContractError
from device_sim.contract.fields import Fields, as_list, parse
from device_sim.trace import write_whole

FORMAT = 1
MAX_BYTES = 1 << 20
LARGEST = 2**53


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """A step in the wrong direction that somebody took knowingly."""

    reason: str
    digest: str  # of the bundle that was worse
    metrics: tuple[str, ...]  # "cortex-m4/instructions: 100 -> 120"


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """Numbers by name ("cortex-m4/flash_bytes"), and the tools that they are a property of."""

    bundle: str
    digest: str
    tools: Mapping[str, str]
    metrics: Mapping[str, float]
    allowed: tuple[Allowed, ...] = ()

    def with_reason(self, reason: str, worse: tuple[str, ...]) -> "Baseline":
        step = Allowed(reason=reason, digest=self.digest, metrics=worse)
        return replace(self, allowed=(*self.allowed, step))

    def write(self, path: Path) -> None:
        made = {"format": FORMAT, **asdict(self)}
        text = json.dumps(made, indent=1, sort_keys=True) + "\n"
        write_whole(path, lambda stream: stream.write(text.encode()))


def read_baseline(path: Path) -> Baseline:
    """The file, every field checked."""
    try:
        raw = path.read_bytes()[: MAX_BYTES + 1]
    except OSError as error:
        raise ContractError(
            f"{path}: expected a baseline, found none ({error.strerror}); --update writes the first"
        ) from None
    read = parse(raw, str(path))
    read.integer("format", FORMAT, FORMAT)
    tools, metrics = read.object("tools"), read.object("metrics")
    made = Baseline(
        bundle=read.text("bundle"),
        digest=read.text("digest"),
        tools={name: tools.text(name) for name in tools.names()},
        metrics={name: _whole(metrics.number(name)) for name in metrics.names()},
        allowed=read.items("allowed", _allowed),
    )
    read.done()
    return made


def _whole(value: float) -> float:
    """A count as the whole number it is."""
    return int(value) if value.is_integer() else value


def _allowed(item: object, where: str) -> Allowed:
    read = Fields(item, where)
    steps = as_list(read.take("metrics"), where)
    made = Allowed(
        reason=read.text("reason"), digest=read.text("digest"), metrics=tuple(str(step) for step in steps)
    )
    read.done()
    return made
