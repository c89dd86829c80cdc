"""P4 and P2: a net that knows strangers is tuned to one wearer's first five minutes and judged on the rest.

P4 starts from a net of DS1 and judges on DS2; P2 does the same inside one set of recordings, each wearer's
net coming from the folds without that wearer, beside a net that knows nothing but the five minutes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from training.augment import Augment
from training.checkpoint import read_checkpoint
from training.examples import Examples, join
from training.fit import fit, logits_of
from training.jobs import Document, Job, key_of, run_jobs
from training.nets import make_net
from training.protocols.interpatient import Logits, Side
from training.recipe import AdaptSpec
from training.workshop import Workshop

Times = Mapping[str, NDArray[np.float64]]  # recording -> time of each of its side's windows


def before(side: Side, times_s: NDArray[np.float64], first_s: int) -> Side:
    return _where(side, times_s < first_s)


def the_rest(side: Side, times_s: NDArray[np.float64], first_s: int) -> Side:
    return _where(side, times_s >= first_s)


def adapt_all(
    net_name: str,
    spec: AdaptSpec,
    *,
    sides: Sequence[Side],
    times_s: Times,
    start: Mapping[int, Mapping[str, Path | None]],
    replay: Mapping[str, Sequence[Side]],
    noise: Path | None,
    workshop: Workshop,
    what: str,
) -> dict[int, dict[str, Logits]]:
    """By seed and recording, what the tuned nets say about everything after the first minutes.

    `start` names the weights each begins with (None: from scratch), `replay` what it must not forget.
    """
    jobs = []
    for seed, weights in start.items():
        for side in sides:
            at_s = times_s[side.name]
            own, rest = before(side, at_s, spec.first_s), the_rest(side, at_s, spec.first_s)
            arguments = {
                "net_name": net_name,
                "spec": spec,
                "own": own,
                "rest": rest,
                "replay": tuple(replay[side.name]),
                "weights": weights[side.name],
                "noise": noise,
                "seed": seed,
            }
            begins = weights[side.name]
            digests = [side.digest, [other.digest for other in replay[side.name]]]
            decides = (net_name, spec, digests, begins and begins.name, noise and noise.name, seed)
            jobs.append(Job(key_of(f"adapt-{side.name}-s{seed}", *decides), adapt, arguments))
    documents = run_jobs(jobs, workshop.jobs, workshop.workers, on_done=workshop.count(what))
    found: dict[int, dict[str, Logits]] = {seed: {} for seed in start}
    for job in jobs:
        rows = documents[job.key]["logits"]
        found[job.arguments["seed"]][job.arguments["rest"].name] = np.array(rows, dtype=np.float64)
    return found


def adapt(
    *,
    net_name: str,
    spec: AdaptSpec,
    own: Side,
    rest: Side,
    replay: tuple[Side, ...],
    weights: Path | None,
    noise: Path | None,
    seed: int,
) -> Document:
    """One job: one wearer. Nothing is left to validate on, so the last epoch is kept."""
    net = make_net(net_name, seed=seed) if weights is None else read_checkpoint(weights, net_name)
    mine = own.examples()
    known = Examples(mine.x_bct, mine.labels, mine.weights * spec.own_weight)
    if replay and spec.n_replay:
        known = join([known, _drawn(replay, spec.n_replay, seed)])
    noise_t = None if noise is None else torch.from_numpy(np.load(noise))
    if len(known):
        fit(net, known, known, spec.fit, seed=seed, augment=Augment(spec.fit.augment, noise_t))
    logits = torch.round(logits_of(net, rest.examples().x_bct).double(), decimals=5)
    return {"logits": logits.tolist(), "n_own": len(mine)}


def _drawn(sides: Sequence[Side], n: int, seed: int) -> Examples:
    """Windows of other wearers, the same number from each."""
    rng = np.random.default_rng(seed)
    each = max(1, n // len(sides))
    parts = []
    for side in sides:
        examples = side.examples()
        parts.append(examples.take(np.sort(rng.permutation(len(examples))[:each]).astype(np.int64)))
    return join(parts)


def _where(side: Side, chosen: NDArray[np.bool_]) -> Side:
    places = np.flatnonzero(chosen).tolist()
    return replace(
        side,
        indices=tuple(side.indices[i] for i in places),
        labels=tuple(side.labels[i] for i in places),
        weights=tuple(side.weights[i] for i in places),
    )
