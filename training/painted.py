"""A net of paper 000 on the device's image through the colour table: what of it ships, and its windows."""

from dataclasses import dataclass

import numpy as np

from device_sim.contract.errors import ContractError
from device_sim.contract.painting import Painting
from training.images import colour_table
from training.paper_recipe import Arm, PaperRecipe
from training.protocols.paper_report import PaperMetrics

IMAGE = "device-painted"
CODES_PER_UNIT = 127  # training divides colours by 127.5, around zero; a code must hold zero itself


@dataclass(frozen=True, slots=True, kw_only=True)
class PaintedNet:
    """One row of the table, trained from scratch: photographs gave no more."""

    arm: Arm
    seed: int

    @property
    def file_name(self) -> str:
        return f"{self.arm.net}-{self.arm.image}-{self.arm.init}-s{self.seed}.safetensors"

    def threshold(self, metrics: PaperMetrics) -> float:
        """Of MIT-BIH's validation part."""
        for row in metrics.rows:
            if (row.net, row.image, row.began, row.seed) == (*self._row, self.seed):
                return row.threshold
        raise ContractError(f"{metrics.recipe}: expected a row for {self.file_name}, found none")

    @property
    def _row(self) -> tuple[str, str, str]:
        return self.arm.net, self.arm.image, self.arm.init


def painted_net(recipe: PaperRecipe, seed: int) -> PaintedNet:
    for arm in recipe.arms:
        if arm.image == IMAGE and arm.init == "scratch":
            return PaintedNet(arm=arm, seed=seed)
    raise ContractError(f"{recipe.name}: arms: expected {IMAGE} from scratch among them, found none")


def painting() -> Painting:
    """The colours as codes: at most half a code beside those that training painted with."""
    units = colour_table().astype(np.float64) / 127.5 - 1
    return Painting(colours=np.rint(CODES_PER_UNIT * units).astype(np.int8))
