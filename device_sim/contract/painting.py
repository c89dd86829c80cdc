"""An image of codes as a colour picture, in integers: where each dot looks, and a colour for every code."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError
from device_sim.contract.fields import Fields, as_integer
from device_sim.contract.tensor import HIGH_I8, LOW_I8

SIDE = 64  # dots, each way
CODES, CHANNELS = 256, 3
I8 = NDArray[np.int8]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Painting:
    """The colour table of a bundle: int8 red, green and blue of each code from -128 on."""

    colours: I8  # [256, 3]

    def __post_init__(self) -> None:
        if self.colours.shape != (CODES, CHANNELS) or self.colours.dtype != np.int8:
            raise ContractError(
                f"painting.colours: expected {CODES} int8 colours of {CHANNELS}, "
                f"got {self.colours.dtype} {self.colours.shape}"
            )

    def picture(self, image_nts: I8) -> I8:
        """[n, columns, rows] as [n, SIDE, SIDE, 3]: rows of the image from top to bottom, time to the right.

        Dot k of SIDE shows the code whose middle is nearest to its own: wl_paint of the core.
        """
        _n, n_columns, n_rows = image_nts.shape
        seen = image_nts[:, places(n_columns)][:, :, places(n_rows)].transpose(0, 2, 1)
        picture: I8 = self.colours[seen.astype(np.int16) - LOW_I8]
        return picture


def places(n: int) -> NDArray[np.int64]:
    """Where SIDE dots look among n codes."""
    found: NDArray[np.int64] = (2 * np.arange(SIDE) + 1) * n // (2 * SIDE)
    return found


def painting_to_json(painting: Painting) -> dict[str, Any]:
    return {"colours": painting.colours.ravel().tolist()}


def painting_from_json(read: Fields) -> Painting:
    """Reads what painting_to_json wrote."""
    codes = read.items("colours", lambda item, at: as_integer(item, at, LOW_I8, HIGH_I8))
    read.done()
    if len(codes) != CODES * CHANNELS:
        raise ContractError(f"{read.where}: colours: expected {CODES * CHANNELS} numbers, got {len(codes)}")
    return Painting(colours=np.array(codes, np.int8).reshape(CODES, CHANNELS))
