"""A recording as a worse electrode gives it: lead off, saturation, flat stretches, mains and muscle."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError
from device_sim.sources import Chunk, Gap, Samples, Source
from device_sim.synthetic import RAIL_UV, Fault, Noise, Scene, fault_mask, noise_uv, with_faults


def disturbed(
    source: Source, chunks: list[Chunk], noises: Sequence[Noise], faults: Sequence[Fault], seed: int
) -> list[Chunk]:
    """The chunks of a source with disturbances laid over them; its own gaps stay."""
    n_samples = sum(chunk.n_samples for chunk in chunks)
    if not n_samples or not (noises or faults):
        return chunks
    scene = Scene(
        seconds=n_samples / source.rate_hz,
        rate_hz=source.rate_hz,
        noises=tuple(noises),
        faults=tuple(faults),
    )
    if scene.n_samples != n_samples:
        raise ContractError(f"{source.name}: expected whole samples, got {n_samples / source.rate_hz} s")
    random = np.random.default_rng(seed)
    uv_per_count = float(source.uv_per_count)
    x_uv = np.concatenate([_uv(chunk, uv_per_count) for chunk in chunks])
    x_uv = x_uv + sum((noise_uv(noise, scene, random) for noise in scene.noises), np.zeros(n_samples))
    low_uv, high_uv = (limit * uv_per_count for limit in rails_of(source))
    x_uv = with_faults(x_uv, scene, random, rail_uv=high_uv)
    counts = np.rint(np.clip(x_uv, low_uv, high_uv) / uv_per_count).astype(np.int32)
    lead_off, lost = fault_mask(scene, "lead_off") == 1, fault_mask(scene, "gap") == 1
    return list(_cut(chunks, counts, lead_off, lost))


def rails_of(source: Source) -> tuple[int, int]:
    """The converter's rails; where a recording does not know them, those of the synthetic one."""
    limit = int(RAIL_UV / source.uv_per_count)
    return source.rails_counts or (-limit, limit)


def _uv(chunk: Chunk, uv_per_count: float) -> NDArray[np.float64]:
    if isinstance(chunk, Gap):
        return np.zeros(chunk.n_samples)
    return np.asarray(chunk.counts_i32 * uv_per_count, dtype=np.float64)


def _cut(
    chunks: Sequence[Chunk],
    counts_i32: NDArray[np.int32],
    lead_off: NDArray[np.bool_],
    lost: NDArray[np.bool_],
) -> Iterator[Chunk]:
    """The disturbed samples in the old pieces, cut where the electrode or the link changes."""
    at = 0
    for chunk in chunks:
        end = at + chunk.n_samples
        if isinstance(chunk, Gap):
            yield chunk
            at = end
            continue
        state = 2 * lost[at:end] + lead_off[at:end]
        edges = [at, *(at + 1 + np.flatnonzero(np.diff(state))).tolist(), end]
        for first, last in pairwise(edges):
            if lost[first]:
                yield Gap(first_index=first, n_samples=last - first, estimated=False)
            else:
                is_off = chunk.lead_off or bool(lead_off[first])
                yield Samples(first_index=first, counts_i32=counts_i32[first:last], lead_off=is_off)
        at = end
