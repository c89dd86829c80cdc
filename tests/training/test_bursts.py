"""Bursts fill the share asked for, at the SNR asked for, and touch nothing between them."""

from pathlib import Path

import numpy as np
import pytest

from device_sim.contract.errors import ContractError
from training.bursts import BurstSpec, burst_times, bursts_of, clean_uv, is_inside, with_bursts
from training.data import mitdb
from training.noise_parts import NoiseShelf, NoiseStretch
from training.snr import noise_power, normal_beats, signal_power, snr_db

SPEC = BurstSpec()


@pytest.mark.parametrize("duration_s", [60.0, 1805.5])
def test_bursts_fill_their_share_in_order(duration_s: float) -> None:
    bursts_s = burst_times(SPEC, duration_s, np.random.default_rng(1))
    lengths = bursts_s[:, 1] - bursts_s[:, 0]
    assert lengths.sum() == pytest.approx(0.3 * duration_s)
    assert np.all(np.diff(bursts_s.reshape(-1)) >= 0)
    assert bursts_s[0, 0] >= 0
    assert bursts_s[-1, 1] <= duration_s
    # drawn from 5 to 20 s, then fitted to the share: within what the last of them is too long
    assert 5 * 0.3 * duration_s / (0.3 * duration_s + 20) <= lengths.min()
    assert lengths.max() <= 20


def test_a_moment_is_inside_from_begin_to_before_end() -> None:
    bursts_s = np.array([[1.0, 2.0], [5.0, 6.0]])
    times_s = np.array([0.5, 1.0, 1.9, 2.0, 4.9, 5.5, 7.0])
    assert is_inside(times_s, bursts_s).tolist() == [False, True, True, False, False, True, False]


def test_noise_lies_in_bursts_alone_and_has_the_snr_asked_for(made_up: Path) -> None:
    record = mitdb.read(mitdb.find(made_up), "101")
    assert record.annotations is not None
    rng = np.random.default_rng(4)
    noise = NoiseStretch(kind="ma", lead="noise1", start_s=0.0, noise=rng.normal(0, 3, 360 * 90))
    shelf = NoiseShelf(part="test", rate_hz=360, noises=(noise,))
    added = with_bursts(record, shelf, "ma", 6.0, SPEC) - clean_uv(record)
    times_s, bursts_s = np.arange(len(added)) / 360, bursts_of(record, SPEC)
    inside = is_inside(times_s, bursts_s)
    edges = np.any([is_inside(times_s + step / 360, bursts_s) for step in (-1, 1)], axis=0)
    assert np.abs(added[~inside & ~edges]).max() <= 0.5  # whole microvolts, nothing else
    found = snr_db(
        signal_power(clean_uv(record), normal_beats(record.annotations), 360),
        noise_power(added[inside], 360),
    )
    assert found == pytest.approx(6.0, abs=0.3)  # white noise: seconds are alike


def test_every_snr_has_the_same_bursts(made_up: Path) -> None:
    record = mitdb.read(mitdb.find(made_up), "101")
    shelf = NoiseShelf(
        part="test",
        rate_hz=360,
        noises=(
            NoiseStretch(kind="ma", lead="noise1", start_s=0.0, noise=nstdb_like(360 * 60)),
            NoiseStretch(kind="em", lead="noise1", start_s=0.0, noise=nstdb_like(360 * 60)[::-1]),
        ),
    )
    loud, soft = (with_bursts(record, shelf, "ma", level, SPEC) - clean_uv(record) for level in (-6.0, 14.0))
    strong = np.abs(loud) > 100
    assert np.allclose(loud[strong] / soft[strong], 10.0, rtol=0.1)
    other = with_bursts(record, shelf, "em", -6.0, SPEC) - clean_uv(record)
    assert not np.allclose(other, loud, atol=1)


def nstdb_like(n_samples: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.random.default_rng(9).normal(0, 5, n_samples)


@pytest.mark.parametrize("fault", [{"share": 0.0}, {"share": 1.0}, {"shortest_s": 30.0}])
def test_bursts_that_cannot_be_are_refused(fault: dict[str, float]) -> None:
    with pytest.raises(ContractError, match="expected"):
        BurstSpec(**fault)
