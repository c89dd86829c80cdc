"""The device on a desk: samples in, columns, flags and the beat stream out, and verdicts, through the C core.

    from device_sim import FrontEnd, open_bundle

    front_end = FrontEnd(rate_hz=250, uv_per_count=2.5)
    columns = front_end.push(counts)  # what became ready; front_end.flush() at the end
    verdicts = open_bundle("models/quality-tiny").run(counts, rate_hz=250, uv_per_lsb=2.5)

`columns_of(counts, rate_hz=250)` does a whole array at once, `open_bundle(..).stream(..)` any portions.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from device_sim.frontend import RATES_HZ, Columns, Flag, FrontEnd, columns_of
    from device_sim.pipeline import OpenBundle, open_bundle
    from device_sim.verdict import Verdict

__all__ = [
    "RATES_HZ",
    "Columns",
    "Flag",
    "FrontEnd",
    "OpenBundle",
    "Verdict",
    "columns_of",
    "open_bundle",
]


def __getattr__(name: str) -> object:
    # On request: whoever only wants device_sim.contract does not load the core.
    if name not in __all__:
        raise AttributeError(f"module 'device_sim' has no attribute {name!r}")
    if name in ("OpenBundle", "Verdict", "open_bundle"):
        from device_sim import pipeline

        return getattr(pipeline, name)
    from device_sim import frontend

    return getattr(frontend, name)
