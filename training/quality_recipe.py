"""A quality net's training run as a TOML file."""

from dataclasses import dataclass
from typing import Literal

from device_sim.contract.errors import ContractError
from training.noise_bench import BenchSpec
from training.quality_fit import QualityFitSpec
from training.quality_nets import IMAGE_NETS
from training.quality_splits import RECORDS, part_of_record


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneRecipe:
    """CinC 2017 teaches as well: how a finished net is tuned, fold by fold."""

    protocol: Literal["in_domain"]
    name: str
    teachers: tuple[str, ...] = ()  # results folders of nets that never heard CinC 2017
    teacher_share: float = 0.0  # of the labels; the rest is what the recording is called
    fit: QualityFitSpec

    def __post_init__(self) -> None:
        check_teachers(self.teachers, self.teacher_share)
        if self.teacher_share > 0.5:
            raise ContractError(
                "teacher_share: expected at most 0.5, so that noisy recordings stay below a half, "
                f"got {self.teacher_share}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalRecipe:
    """Trained on MIT-BIH and NSTDB alone, judged on CinC 2017."""

    protocol: Literal["external"]
    name: str
    net: str
    seeds: tuple[int, ...]
    hours: float  # of recordings made from the training records
    validation_hours: float
    train_records: tuple[str, ...] = RECORDS["train"]
    validation_records: tuple[str, ...] = RECORDS["validation"]
    bench: BenchSpec
    fit: QualityFitSpec
    teachers: tuple[str, ...] = ()  # results folders of finished nets
    teacher_share: float = 0.0  # of the labels
    tune: QualityFitSpec | None = None  # in_domain without a recipe of its own

    def __post_init__(self) -> None:
        if self.net not in IMAGE_NETS:
            raise ContractError(f"net: expected one of {', '.join(IMAGE_NETS)}, got {self.net}")
        if self.hours <= 0 or self.validation_hours <= 0:
            raise ContractError(f"hours: expected more than 0, got {self.hours} and {self.validation_hours}")
        check_teachers(self.teachers, self.teacher_share)
        for part, names in (("train", self.train_records), ("validation", self.validation_records)):
            strangers = [name for name in names if part_of_record(name) != part]
            if strangers:
                raise ContractError(f"{part}_records: expected records of {part}, got {strangers[0]}")


def check_teachers(teachers: tuple[str, ...], share: float) -> None:
    if not 0.0 <= share <= 1.0 or bool(teachers) != (share > 0):
        raise ContractError(
            f"teacher_share: expected above 0 and at most 1 with teachers, 0 without, got {share}"
        )
