"""The device on a desk: samples in, columns, flags and the beat stream out, through the C core.

    from device_sim import FrontEnd

    front_end = FrontEnd(rate_hz=250, uv_per_count=2.5)
    columns = front_end.push(counts)  # what became ready; front_end.flush() at the end

`columns_of(counts, rate_hz=250)` does a whole array at once.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from device_sim.frontend import RATES_HZ, Columns, Flag, FrontEnd, columns_of

__all__ = ["RATES_HZ", "Columns", "Flag", "FrontEnd", "columns_of"]


def __getattr__(name: str) -> object:
    # On request: whoever only wants device_sim.contract does not load the core.
    if name not in __all__:
        raise AttributeError(f"module 'device_sim' has no attribute {name!r}")
    from device_sim import frontend

    return getattr(frontend, name)
