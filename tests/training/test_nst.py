"""118 and 119 are drowned where, when and by as much as `nst` says, in noise that taught nobody."""

from pathlib import Path

import numpy as np
import pytest

from training.data import mitdb, nstdb
from training.noise_parts import read_shelf
from training.protocols.nst import drown, is_noisy_second, noise_of
from training.protocols.nst_report import READY_MADE, NstMetrics, NstRow, render
from training.quality_splits import NOISE_S, TEST_RECORDS
from training.snr import noise_power, normal_beats, signal_power, snr_db


def test_five_minutes_are_quiet_and_then_every_other_two() -> None:
    minutes = np.arange(30) + 0.5
    noisy = np.flatnonzero(is_noisy_second(60 * minutes)).tolist()
    assert noisy == [5, 6, 9, 10, 13, 14, 17, 18, 21, 22, 25, 26, 29]


def test_physionets_own_recordings_are_quiet_and_noisy_in_the_same_minutes(real_data: Path) -> None:
    if not (real_data / "nstdb").exists():
        pytest.skip(f"{real_data}: no nstdb there")
    for name in TEST_RECORDS:
        clean = mitdb.read(mitdb.find(real_data), name, lead="MLII")
        drowned = nstdb.read(nstdb.find(real_data), f"{name}e_6", lead="MLII")
        added = (drowned.counts_i32 - clean.counts_i32)[: clean.length_samples // 360 * 360].reshape(-1, 360)
        per_second = added.std(axis=1)  # between the noisy minutes the last of the noise stays as an offset
        is_noisy = is_noisy_second(np.arange(len(per_second)) + 0.5)
        assert np.median(per_second[~is_noisy]) == 0
        assert np.mean(per_second[is_noisy] > 20) > 0.98


def test_a_mix_has_the_snr_asked_for_and_its_quiet_minutes_are_untouched(real_data: Path) -> None:
    if not (real_data / "nstdb").exists():
        pytest.skip(f"{real_data}: no nstdb there")
    record = mitdb.read(mitdb.find(real_data), "118", lead="MLII")
    assert record.annotations is not None
    x_uv = (record.counts_i32 - record.baseline_counts) * float(record.uv_per_count)
    shelf = read_shelf(nstdb.find(real_data), "test")
    assert {one.start_s for one in shelf.noises} == {NOISE_S["test"][0]}  # minutes that taught nobody
    noise = noise_of(shelf, "em", len(x_uv))
    added = drown(record, noise, 6.0) - x_uv
    is_noisy = is_noisy_second(np.arange(len(x_uv)) / record.rate_hz)
    assert np.all(added[~is_noisy] == 0)
    scale = float(np.median(added[is_noisy] / noise[is_noisy]))
    found = snr_db(
        signal_power(x_uv, normal_beats(record.annotations), record.rate_hz),
        noise_power(scale * noise, record.rate_hz),
    )
    assert found == pytest.approx(6.0, abs=0.01)


def test_the_table_says_which_noise_was_heard_before() -> None:
    row = NstRow(
        scorer="quality_tiny s0",
        source=READY_MADE,
        kind="em",
        snr_db=12,
        n_noisy=10,
        n_quiet=20,
        auc=0.875,
        noisy_refused=0.5,
        quiet_refused=0.25,
    )
    metrics = NstMetrics(protocol="nst", recipe="r", net="quality_tiny", seeds=(0,), rows=(row,))
    *_, last = render(metrics).splitlines()
    assert " ".join(last.split()) == "quality_tiny s0 em, ready-made (seen noise) 0.25 | 0.50 | 0.875"
