"""The cost of the front end: its limits hold, its counts are exact, nothing is left out or counted twice."""

import json
import multiprocessing
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import drive, frontend, frontend_report, host, peers, recorded
from benchmarks.frontend import Limit, McuCost
from benchmarks.mcu.image import Image
from device_sim.__main__ import main
from device_sim.contract.errors import ContractError


@pytest.fixture(scope="module")
def cost(mcu_extra: None) -> McuCost:
    return frontend.measure(rates_hz=(128, 1000))


def test_every_limit_is_kept(cost: McuCost) -> None:
    limits = cost.limits()
    assert [(limit.name, limit.allowed) for limit in limits] == [
        ("Morlet path, MAC", 160),
        ("Morlet path, instructions", 1300),
        ("Morlet path, state", 1536),
        ("Morlet path, text + tables", 4096),
        ("complete, instructions", 1700),
        ("complete, state", 2560),
    ]
    assert [limit for limit in limits if not limit.kept] == []


def test_a_limit_is_broken_from_the_first_byte_on() -> None:
    assert Limit(name="x", measured=160, allowed=160, unit="bytes").kept
    assert not Limit(name="x", measured=160.01, allowed=160, unit="bytes").kept


def test_multiplications_are_counted_in_the_tables() -> None:
    # 9 positions a hop of 130 folded taps, real and imaginary; 15 half-band outputs of 7 pairs and a centre.
    assert frontend.macs_per_sample() == (9 * 2 * 130 / 16, 15 * 8 / 16) == (146.25, 7.5)


def test_the_stages_are_all_there_is(image_256: Image) -> None:
    """What the stages sum to is what was executed inside wl_frontend_push, by another way of counting."""
    played = drive.ecg(256, 2)
    _, emulator = drive.run_on_m4(image_256, played)
    of_harness = sum(n for (f, c), n in emulator.charged.items() if frontend.stage_of(f, c) == "harness")
    stages = frontend._by_stage(image_256, played)
    assert sum(stages.values()) == sum(emulator.counts.values())
    assert stages["harness"] == of_harness
    assert sum(emulator.charged.values()) == sum(emulator.counts.values())


@pytest.mark.parametrize(
    ("function", "caller", "stage"),
    [
        ("wl_blocker", "", "blocker"),
        ("memmove", "wl_cwt_hop", "wavelets: memmove, memclr"),
        ("__aeabi_memclr4", "octave_column", "wavelets: memmove, memclr"),
        ("memmove", "wl_beat_hop", "beat stream"),
        ("wl_level", "octave_column", "log2"),
        ("wl_level", "wl_band_high", "LF and HF rows"),
        ("memset", "wl_frontend_init", "harness"),
    ],
)
def test_a_shared_function_works_for_its_caller(function: str, caller: str, stage: str) -> None:
    assert frontend.stage_of(function, caller) == stage


def test_a_function_without_a_stage_stops_the_count() -> None:
    with pytest.raises(ContractError, match="wl_new: belongs to no stage"):
        frontend.stage_of("wl_new", "")


def test_a_stage_that_was_inlined_stops_the_count(image_256: Image) -> None:
    symbols = {name: s for name, s in image_256.symbols.items() if name != "wl_blocker"}
    with pytest.raises(ContractError, match="wl_blocker was inlined"):
        frontend.instructions(replace(image_256, symbols=symbols), drive.ecg(256, frontend.LONG_S))


def spin(stop: object) -> None:
    while not stop.is_set():  # type: ignore[attr-defined]
        pass


def test_a_busy_machine_changes_no_count(image_256: Image) -> None:
    played = drive.noise(256, 1)
    _, quiet = drive.run_on_m4(image_256, played)
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    load = [context.Process(target=spin, args=(stop,)) for _ in range(3)]
    for process in load:
        process.start()
    try:
        _, busy = drive.run_on_m4(image_256, played)
    finally:
        stop.set()
        for process in load:
            process.join()
    assert busy.charged == quiet.charged


def test_a_rate_costs_its_table_and_its_memory(cost: McuCost) -> None:
    by_rate = {r.rate_hz: r for r in cost.resampling}
    assert (by_rate[128].n_taps, by_rate[128].table_bytes) == (16, 32)
    assert (by_rate[1000].n_taps, by_rate[1000].table_bytes) == (64, 2048)
    assert by_rate[128].state_bytes == cost.state_all_rates_bytes - cost.state_bytes
    assert all(r.complete > r.resampler > r.n_taps for r in cost.resampling)


def test_the_command_writes_one_json_object(
    cost: McuCost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(frontend, "measure", lambda: cost)
    out = tmp_path / "cost.json"
    assert main(["bench", "frontend", "--mcu", "--json", str(out)]) == 0
    assert "Morlet path, instructions" in capsys.readouterr().out
    written = json.loads(out.read_text())
    assert written["format"] == recorded.FORMAT
    assert "host" not in written
    assert all(limit["kept"] for limit in written["mcu"]["limits"])
    assert written["versions"]["ziglang"] == "0.17.0"


def test_a_broken_limit_is_exit_1(
    cost: McuCost, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(frontend, "measure", lambda: replace(cost, state_all_rates_bytes=1600))
    assert main(["bench", "frontend", "--mcu"]) == 1
    assert "BROKEN" in capsys.readouterr().out


def test_a_folder_that_is_not_there_is_said_before_measuring(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "frontend", "--json", "/nowhere/cost.json"]) == 2
    assert capsys.readouterr().err == "/nowhere/cost.json: expected a file in a folder that exists\n"


def test_a_request_without_a_bench_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.filterwarnings("ignore")  # the libraries' own
@pytest.mark.parametrize("tone_hz", [40.0, 10.0, 3.0])
def test_every_peer_computes_the_same_scales(tone_hz: float) -> None:
    t_s = np.arange(peers.WINDOW_SAMPLES) / 256
    found, absent = peers.peers(1000 * np.sin(2 * np.pi * tone_hz * t_s))
    if not found:
        pytest.skip(f"no library to compare with: {absent[0].install}")
    row = int(np.abs(peers.scales_hz() - tone_hz).argmin())
    middle = peers.WINDOW_SAMPLES // 2
    assert {peer.name: int(peer.magnitudes()[:, middle].argmax()) for peer in found} == {
        peer.name: row for peer in found
    }


@pytest.mark.filterwarnings("ignore")
def test_a_missing_peer_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fcwt", None)  # an import of it now fails
    monkeypatch.setitem(sys.modules, "ssqueezepy", None)
    monkeypatch.setitem(sys.modules, "pywt", None)
    said = frontend_report.host_text(host.measure(rounds=2))
    assert "fcwt: not installed" in said
    assert "apt install g++ libfftw3-dev libomp-dev && pip install" in said
    assert "no library is installed" in said


@pytest.mark.filterwarnings("ignore")
def test_a_ratio_comes_with_its_spread() -> None:
    cost = host.measure(rounds=3)
    for peer in cost.peers:
        ratio = cost.ratio(peer, host.WINDOW)
        assert 0 < ratio.low <= ratio.high
    assert cost.ours(host.STREAMED).least_us < cost.ours(host.WINDOW).median_us * 100
