"""What stands between a network's integers and a verdict: thresholds, calibrated scores, rules; no floats."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from device_sim.contract.errors import ContractError
from device_sim.contract.fields import Fields, as_integer
from device_sim.contract.labels import MAX_CHARACTERS

FLAGS = ("rail", "flat", "lead_off", "warm_up", "clip", "gap")  # enum wl_flag, bit by bit
CODES = 256
ONE_Q15 = 1 << 15
MAX_CODE_Q8 = 129 << 8  # one past the codes: a threshold that is never reached
MAX_COLUMNS = 4096
MAX_MEAN_WINDOWS = 16
MAX_MEAN_HOPS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Yes from `accept_q8` on, no up to `reject_q8`, undecided between; of the mean output code, in Q8.

    An answer once given is kept while the mean has not gone back past its threshold by more than `hold_q8`.
    """

    output: str  # of the graph: one int8
    accept_q8: int
    reject_q8: int
    score_q15: tuple[int, ...]  # entry code + 128: the calibrated chance of a yes
    hold_q8: int = 0

    def __post_init__(self) -> None:
        where = f"verdict: question of {self.output[:80]!r}"
        if not -MAX_CODE_Q8 <= self.reject_q8 < self.accept_q8 <= MAX_CODE_Q8:
            raise ContractError(
                f"{where}: expected reject_q8 < accept_q8 within +-{MAX_CODE_Q8}, "
                f"got {self.reject_q8} and {self.accept_q8}"
            )
        if not 0 <= self.hold_q8 <= MAX_CODE_Q8:
            raise ContractError(f"{where}: hold_q8: expected 0..{MAX_CODE_Q8}, got {self.hold_q8}")
        if len(self.score_q15) != CODES:
            raise ContractError(f"{where}: score_q15: expected {CODES} entries, got {len(self.score_q15)}")
        rising = all(low <= high for low, high in zip(self.score_q15, self.score_q15[1:], strict=False))
        if not rising or self.score_q15[0] < 0 or self.score_q15[-1] > ONE_Q15:
            raise ContractError(f"{where}: score_q15: expected 0..{ONE_Q15}, never falling")


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictSpec:
    """Questions in order: the first that says yes names the verdict, label k + 1 for question k.

    Where all say no it is label 0; where one is undecided and none says yes, `undecided`. A window in which
    more columns carry a flag than `flag_limits` allows is `unusable`, whatever the network says.
    """

    questions: tuple[Question, ...]
    undecided: str
    unusable: str  # for a quality net its own word for noise
    flag_limits: Mapping[str, int] = field(default_factory=dict)
    mean_windows: int = 1  # codes are averaged over this many windows
    mean_hops: int = 1  # which lie this many hops apart

    def __post_init__(self) -> None:
        if not self.questions:
            raise ContractError("verdict.questions: expected at least one, got none")
        for name in ("undecided", "unusable"):
            word = getattr(self, name)
            if not 1 <= len(word) <= MAX_CHARACTERS or not word.isprintable():
                raise ContractError(
                    f"verdict.{name}: expected 1..{MAX_CHARACTERS} printable characters, got {word[:80]!r}"
                )
        for name, limit in self.flag_limits.items():
            if name not in FLAGS or not 0 <= limit <= MAX_COLUMNS:
                raise ContractError(
                    f"verdict.flag_limits: expected {', '.join(FLAGS)} with 0..{MAX_COLUMNS} columns, "
                    f"got {name[:40]!r}: {limit}"
                )
        for name, highest in (("mean_windows", MAX_MEAN_WINDOWS), ("mean_hops", MAX_MEAN_HOPS)):
            value = getattr(self, name)
            if not 1 <= value <= highest:
                raise ContractError(f"verdict.{name}: expected 1..{highest}, got {value}")


def verdict_to_json(spec: VerdictSpec) -> dict[str, Any]:
    """As a manifest holds it."""
    return {
        "questions": [
            {
                "output": one.output,
                "accept_q8": one.accept_q8,
                "reject_q8": one.reject_q8,
                "hold_q8": one.hold_q8,
                "score_q15": list(one.score_q15),
            }
            for one in spec.questions
        ],
        "undecided": spec.undecided,
        "unusable": spec.unusable,
        "flag_limits": dict(spec.flag_limits),
        "mean_windows": spec.mean_windows,
        "mean_hops": spec.mean_hops,
    }


def verdict_from_json(read: Fields) -> VerdictSpec:
    """Reads what verdict_to_json wrote; anything else is refused with its field."""
    limits = read.object("flag_limits")
    spec = VerdictSpec(
        questions=read.items("questions", _question),
        undecided=read.text("undecided"),
        unusable=read.text("unusable"),
        flag_limits={name: limits.integer(name, 0, MAX_COLUMNS) for name in limits.names()},
        mean_windows=read.integer("mean_windows", 1, MAX_MEAN_WINDOWS),
        mean_hops=read.integer("mean_hops", 1, MAX_MEAN_HOPS),
    )
    read.done()
    return spec


def _question(item: object, where: str) -> Question:
    read = Fields(item, where)
    question = Question(
        output=read.text("output"),
        accept_q8=read.integer("accept_q8", -MAX_CODE_Q8, MAX_CODE_Q8),
        reject_q8=read.integer("reject_q8", -MAX_CODE_Q8, MAX_CODE_Q8),
        hold_q8=read.integer("hold_q8", 0, MAX_CODE_Q8),
        score_q15=read.items("score_q15", lambda one, at: as_integer(one, at, 0, ONE_Q15)),
    )
    read.done()
    return question
