"""A training run as a TOML file: what is trained, on which windows, and who chooses what."""

from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Literal

from device_sim.contract.errors import ContractError
from training.nets import NETS
from training.paper_nets import PICTURE_NETS
from training.paper_recipe import PaperRecipe
from training.quality_nets import IMAGE_NETS
from training.quality_recipe import ExternalRecipe
from training.splits import DS1, DS2, FIRST_MINUTES_S, NAMED_EXCEPTIONS, check_no_leak
from training.tables import build, read_toml
from training.windows import RULES

StageBy = Literal["balanced_accuracy", "loss"]
Stream = Literal["paper", "paper-first-column", "device"]
LARGEST_SLACK = 0.01  # a border that costs more is another decision


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentSpec:
    """What is done to a training window before the net sees it; all zero changes nothing."""

    gain_octaves: float = 0.0  # amplitude times 2^u, u uniform in +- this
    shift_samples: int = 0  # moved in time by up to this many samples
    jitter: float = 0.0  # white noise, standard deviation in the net's units
    wander: float = 0.0  # slow sine across the window, largest amplitude
    noise_chance: float = 0.0  # how often recorded em or ma noise is added
    noise_snr_db_min: float = 0.0
    noise_snr_db_max: float = 24.0
    noise_rms_max: float = 0.0  # instead of an SNR: noise of up to this RMS, where the window is a difference

    def __post_init__(self) -> None:
        if not 0.0 <= self.noise_chance <= 1.0:
            raise ContractError(f"noise_chance: expected 0..1, got {self.noise_chance}")
        if self.noise_rms_max and self.noise_snr_db_min != 0.0:
            raise ContractError("noise_rms_max: contradicts noise_snr_db_min; noise has one scale")
        if self.noise_snr_db_min > self.noise_snr_db_max:
            raise ContractError(
                f"noise_snr_db_min: expected at most {self.noise_snr_db_max}, got {self.noise_snr_db_min}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class FitSpec:
    """How one net is fitted. Adam; the epoch kept is the best one on validation."""

    lr: float
    batch_size: int
    is_balanced: bool  # classes drawn equally often
    epochs_max: int
    epochs_min: int = 0  # patience starts to count after these
    patience_epochs: int = 5
    hopeless_epochs: int = 8  # stop where validation never left a constant answer
    weight_decay: float = 0.0
    l2sp: float = 0.0  # pull towards the weights it started from
    plateau_patience: int = 0  # 0: the rate stays
    plateau_factor: float = 0.5
    has_cosine: bool = False  # the rate falls to zero along a half cosine
    ema_decay: float = 0.0  # 0: no running average of the weights
    label_smoothing: float = 0.0
    has_bfloat16: bool = False  # products of half the bits: three times as fast where the CPU has them
    select: Literal["balanced_accuracy", "loss", "last"] = "balanced_accuracy"
    augment: AugmentSpec = AugmentSpec()

    def __post_init__(self) -> None:
        if self.lr <= 0:
            raise ContractError(f"lr: expected more than 0, got {self.lr}")
        if self.batch_size < 1:
            raise ContractError(f"batch_size: expected 1 or more, got {self.batch_size}")
        if self.epochs_max < 1:
            raise ContractError(f"epochs_max: expected 1 or more, got {self.epochs_max}")
        if self.epochs_min > self.epochs_max:
            raise ContractError(
                f"epochs_min: expected at most epochs_max {self.epochs_max}, got {self.epochs_min}"
            )
        if not 0.0 <= self.ema_decay < 1.0:
            raise ContractError(f"ema_decay: expected 0 up to below 1, got {self.ema_decay}")
        if self.has_cosine and self.plateau_patience:
            raise ContractError("has_cosine: contradicts plateau_patience; a rate follows one schedule")
        if not 0.0 <= self.label_smoothing < 0.5:
            raise ContractError(f"label_smoothing: expected 0 up to below 0.5, got {self.label_smoothing}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Every combination is fitted; validation chooses."""

    lr: tuple[float, ...]
    batch_size: tuple[int, ...]
    is_balanced: tuple[bool, ...]

    def points(self, base: FitSpec) -> tuple[FitSpec, ...]:
        return tuple(
            replace(base, lr=lr, batch_size=batch, is_balanced=balanced)
            for lr, batch, balanced in product(self.lr, self.batch_size, self.is_balanced)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptSpec:
    """P4: a stranger's first minutes, beside windows of the training side so that nothing is forgotten."""

    fit: FitSpec
    n_replay: int  # windows of the training side drawn into each adaptation
    first_s: int = FIRST_MINUTES_S  # what of the wearer is known; judged on what follows
    own_weight: float = 1.0  # how much a window of the wearer counts beside a replayed one
    own_rhythm_weight: float = 0.0  # how much a beat of the wearer counts in the rhythm model; 0: not at all

    def __post_init__(self) -> None:
        if self.own_rhythm_weight < 0:
            raise ContractError(f"own_rhythm_weight: expected 0 or more, got {self.own_rhythm_weight}")
        if self.n_replay < 0:
            raise ContractError(f"n_replay: expected 0 or more, got {self.n_replay}")
        if self.own_weight <= 0:
            raise ContractError(f"own_weight: expected more than 0, got {self.own_weight}")
        if self.fit.select != "last":
            raise ContractError(
                f"fit.select: expected last (nothing is left to validate on), got {self.fit.select}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalRecipe:
    """P1: one net per recording, alone and fine-tuned from a net that saw them all."""

    protocol: Literal["P1"]
    name: str
    net: str
    stream: Stream
    rule: str
    records: tuple[str, ...] | None = None  # None: every record the paper's exclusion keeps
    stage_by: StageBy = "balanced_accuracy"  # what of validation decides between head only and all layers
    seeds: tuple[int, ...]
    split_seed: int
    individual: FitSpec
    individual_grid: Grid
    pretrain: FitSpec
    head_only: FitSpec
    head_only_grid: Grid
    full: FitSpec
    full_grid: Grid

    def __post_init__(self) -> None:
        check_names(self.net, self.rule)


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindRecipe:
    """P3 with one-second windows cut blindly: trained on DS1, chosen on folds of DS1."""

    protocol: Literal["P3-blind"]
    name: str
    net: str
    stream: Stream
    rule: str
    seeds: tuple[int, ...]
    n_folds: int
    train_records: tuple[str, ...] = DS1
    test_records: tuple[str, ...] = DS2
    fit: FitSpec
    adapt: AdaptSpec | None = None  # P4: how a net is tuned to one wearer

    def __post_init__(self) -> None:
        check_names(self.net, self.rule)
        check_cohorts(self.n_folds, self.train_records, self.test_records, self.fit)
        if self.adapt is not None and self.adapt.own_rhythm_weight:
            raise ContractError(
                "adapt.own_rhythm_weight: expected in P3-beat only: blind seconds have no rhythm model"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class BeatRecipe:
    """P3 with windows centred on beats: morphology net on template differences, linear rhythm model."""

    protocol: Literal["P3-beat"]
    name: str
    net: str
    stream: Literal["device"]
    peaks: Literal["annotated", "detected"]
    seeds: tuple[int, ...]
    n_folds: int
    fusion_weight: float  # weight of F beats in training: neither here nor there
    early_weight: float  # weight of S beats in training: shaped like normal ones, they are rhythm's business
    border_slack: float = 0.0  # balanced accuracy on folds that a border may cost where fewer beats lie
    train_records: tuple[str, ...] = DS1
    test_records: tuple[str, ...] = DS2
    fit: FitSpec
    adapt: AdaptSpec | None = None  # P4: how a net is tuned to one wearer

    def __post_init__(self) -> None:
        check_names(self.net, "EC57")
        check_cohorts(self.n_folds, self.train_records, self.test_records, self.fit)
        for name, weight in (("fusion_weight", self.fusion_weight), ("early_weight", self.early_weight)):
            if not 0.0 <= weight <= 1.0:
                raise ContractError(f"{name}: expected 0..1, got {weight}")
        if not 0.0 <= self.border_slack <= LARGEST_SLACK:
            raise ContractError(f"border_slack: expected 0..{LARGEST_SLACK}, got {self.border_slack}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstMinutesRecipe:
    """P2: each wearer's first five minutes teach, the other twenty-five judge; alone, or after strangers."""

    protocol: Literal["P2"]
    name: str
    net: str
    stream: Stream
    rule: str
    seeds: tuple[int, ...]
    records: tuple[str, ...]
    n_folds: int
    fit: FitSpec  # on the strangers of the other folds
    adapt: AdaptSpec  # from there to the wearer
    alone: AdaptSpec  # from nothing to the wearer

    def __post_init__(self) -> None:
        self.strangers()
        if self.alone.n_replay:
            raise ContractError(
                f"alone.n_replay: expected 0 (alone knows no strangers), got {self.alone.n_replay}"
            )

    def strangers(self) -> BlindRecipe:
        """The part that P3 does: nets for each fold from the recordings outside it."""
        return BlindRecipe(
            protocol="P3-blind",
            name=self.name,
            net=self.net,
            stream=self.stream,
            rule=self.rule,
            seeds=self.seeds,
            n_folds=self.n_folds,
            train_records=self.records,
            test_records=(),
            fit=self.fit,
            adapt=self.adapt,
        )


Recipe = PersonalRecipe | BlindRecipe | BeatRecipe | FirstMinutesRecipe | ExternalRecipe | PaperRecipe
KINDS: dict[str, type[Recipe]] = {
    "P1": PersonalRecipe,
    "P2": FirstMinutesRecipe,
    "P3-blind": BlindRecipe,
    "P3-beat": BeatRecipe,
    "external": ExternalRecipe,
    "paper-000": PaperRecipe,
}


def check_names(net: str, rule: str) -> None:
    known = [name for name in NETS if name not in (*IMAGE_NETS, *PICTURE_NETS)]
    if net not in known:
        raise ContractError(f"net: expected one of {', '.join(known)}, got {net}")
    if rule not in RULES:
        raise ContractError(f"rule: expected one of {', '.join(RULES)}, got {rule}")


def check_cohorts(n_folds: int, train: tuple[str, ...], test: tuple[str, ...], fit: FitSpec) -> None:
    """Nothing of the test side may choose, so the last epoch is the one that is kept."""
    check_no_leak(train, test, allowed=NAMED_EXCEPTIONS)
    if not 2 <= n_folds <= len(train):
        raise ContractError(f"n_folds: expected 2..{len(train)} (training records), got {n_folds}")
    if fit.select != "last":
        raise ContractError(
            f"fit.select: expected last (P3 has no validation part of its own), got {fit.select}"
        )


def read_recipe(path: Path) -> Recipe:
    """The recipe in `path`; its `protocol` says which kind it is."""
    table = read_toml(path)
    protocol = table.get("protocol")
    if protocol not in KINDS:
        raise ContractError(f"{path}: protocol: expected one of {', '.join(KINDS)}, got {protocol!r}")
    return build(KINDS[protocol], table, where=str(path))
