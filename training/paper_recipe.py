"""Paper 000 as a TOML file: its nets, each from several beginnings, on intervals half of them clean."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from device_sim.contract.errors import ContractError
from training.noise_bench import BenchSpec
from training.paper_nets import FULL_SIDE, PICTURE_NETS, SMALL_SIDE
from training.quality_fit import QualityFitSpec
from training.quality_nets import IMAGE_NETS
from training.quality_splits import RECORDS, part_of_record

Image = Literal["cwt", "device", "device-painted"]
Beginning = Literal["scratch", "natural70", "in_domain", "file"]
IMAGES_OF: Mapping[str, tuple[str, ...]] = {
    **{name: ("device",) for name in IMAGE_NETS if name == "light_cnn"},
    **{name: ("cwt", "device-painted") for name in PICTURE_NETS},
}
SIDE_OF: Mapping[str, int] = {"light_cnn_paper": FULL_SIDE, "light_cnn_paper_64": SMALL_SIDE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One row of the table: a net, what it looks at, and where its weights begin."""

    net: str
    image: Image  # the CWT's picture; the device's image, as it is or through the colour table
    init: Beginning
    seeds: tuple[int, ...] | None = None  # None: the recipe's
    weights: str | None = None  # of `file`: a path, and the SHA-256 of what must be there
    weights_sha256: str | None = None

    def __post_init__(self) -> None:
        if self.net not in IMAGES_OF:
            raise ContractError(f"net: expected one of {', '.join(IMAGES_OF)}, got {self.net}")
        if self.image not in IMAGES_OF[self.net]:
            raise ContractError(
                f"image: expected {' or '.join(IMAGES_OF[self.net])} ({self.net}), got {self.image}"
            )
        if self.net == "googlenet" and self.init == "in_domain":
            raise ContractError("init: expected scratch, natural70 or file (googlenet), got in_domain")
        if self.net != "googlenet" and self.init == "file":
            raise ContractError(f"init: expected file with googlenet alone, got it with {self.net}")
        if (self.init == "file") != (self.weights is not None and self.weights_sha256 is not None):
            raise ContractError("weights, weights_sha256: expected both with init = 'file', and only there")

    @property
    def name(self) -> str:
        return f"{self.net}, {self.image}, {self.init}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperRecipe:
    """Trained on MIT-BIH and NSTDB alone, judged on CinC 2017 at a threshold of MIT-BIH's validation part."""

    protocol: Literal["paper-000"]
    name: str
    side: int  # of the pictures
    seeds: tuple[int, ...]
    pretrain_seed: int | None = (
        None  # one beginning for all seeds, as one file of weights is; None: each its own
    )
    n_intervals: int
    n_validation: int
    arms: tuple[Arm, ...]
    timing_turns: int = 60  # each net once a turn
    has_bfloat16: bool = False  # multiplied in bfloat16 while training: twice as fast where the processor can
    train_records: tuple[str, ...] = RECORDS["train"]
    validation_records: tuple[str, ...] = RECORDS["validation"]
    bench: BenchSpec
    fit: QualityFitSpec
    natural70: QualityFitSpec
    in_domain: QualityFitSpec

    def __post_init__(self) -> None:
        if self.timing_turns < 1:
            raise ContractError(f"timing_turns: expected 1 or more, got {self.timing_turns}")
        if self.side < SMALL_SIDE:
            raise ContractError(f"side: expected {SMALL_SIDE} or more, got {self.side}")
        for arm in self.arms:
            if SIDE_OF.get(arm.net, self.side) != self.side:
                raise ContractError(f"side: expected {SIDE_OF[arm.net]} ({arm.net}), got {self.side}")
        if len({arm.name for arm in self.arms}) != len(self.arms):
            raise ContractError("arms: expected each net, image and init once")
        for part, names in (("train", self.train_records), ("validation", self.validation_records)):
            strangers = [name for name in names if part_of_record(name) != part]
            if strangers:
                raise ContractError(f"{part}_records: expected records of {part}, got {strangers[0]}")
            wanted = self.n_intervals if part == "train" else self.n_validation
            if wanted < 2 * len(names):
                raise ContractError(
                    f"n_intervals, n_validation: expected two or more for each of {len(names)} records, "
                    f"got {wanted}"
                )

    def seeds_of(self, arm: Arm) -> tuple[int, ...]:
        return self.seeds if arm.seeds is None else arm.seeds
