"""A board in real time: waiting, queueing, late verdicts and lost samples, by hand where a hand can count."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import realtime_here
from benchmarks.realtime import Due, Played, Work, play
from device_sim.__main__ import main
from device_sim.contract.errors import ContractError
from device_sim.synthetic import Scene, SyntheticSource
from tests.device_sim.bundles import cascade_of

RATE_HZ = 100
CLOCK_HZ = 1600.0  # 16 cycles from sample to sample
ROOT = Path(__file__).resolve().parents[2]
BEAT = ROOT / "models" / "beat-tiny"


def due(index: int, network: int = 0, begin_s: float = 0.0, wait_s: float = 0.0) -> Due:
    return Due(network=network, index=index, begin_s=begin_s, end_s=index / RATE_HZ - wait_s)


def played(
    dues: list[Due],
    *,
    n_samples: int = 400,
    a_sample: float = 1.0,
    networks: tuple[float, ...] = (32.0,),
    interrupt: float = 0.0,
    clock_hz: float = CLOCK_HZ,
    ring: int = 100,
    most_lost_s: float = 0.0,
) -> Played:
    names = [f"net {k}" for k in range(len(networks))]
    work = Work(
        a_sample={"front end": a_sample},
        interrupt=interrupt,
        networks=dict(zip(names, networks, strict=True)),
        most_lost_s=dict.fromkeys(names, most_lost_s),
    )
    return play(dues, work, n_samples=n_samples, rate_hz=RATE_HZ, clock_hz=clock_hz, ring_samples=ring)


def test_a_verdict_waits_for_the_portion_the_front_end_and_its_network() -> None:
    """Sample 15 completes it: 16 cycles of front end and 32 of network are 3 samples' time."""
    found = played([due(15, wait_s=0.1), due(14 + 16, wait_s=0.25)])
    first, second = found.verdicts[0].compute_s
    assert first == pytest.approx(0.03)
    assert second == pytest.approx(0.04)  # it also waits for sample 31, the end of its portion
    assert found.verdicts[0].algorithm_s == pytest.approx([0.1, 0.25])
    assert found.deepest_samples == 17  # a portion, and one more while the front end reads it
    assert found.n_lost == 0


def test_networks_queue_behind_each_other() -> None:
    found = played([due(15, 0), due(15, 1)], networks=(32.0, 16.0))
    assert [one.compute_s[0] for one in found.verdicts] == pytest.approx([0.03, 0.04])
    assert found.busy_s == pytest.approx(
        {"front end": 400 / CLOCK_HZ, "net 0": 32 / CLOCK_HZ, "net 1": 16 / CLOCK_HZ, "interrupts": 0}
    )


def test_interrupts_take_their_part_of_everything() -> None:
    found = played([due(15)], interrupt=8.0)  # half of the core: twice the time
    assert found.verdicts[0].compute_s == pytest.approx([0.06])
    assert found.busy_s["interrupts"] == pytest.approx(400 * 8 / CLOCK_HZ)
    with pytest.raises(ContractError, match="interrupts alone take 100 %"):
        played([], interrupt=16.0)


def test_a_verdict_barred_by_rule_costs_no_network() -> None:
    found = played([Due(network=0, index=15, begin_s=0, end_s=0, is_run=False)])
    assert found.verdicts[0].compute_s == pytest.approx([0.01])
    assert found.busy_s["net 0"] == 0


def test_a_full_ring_loses_samples_and_they_are_counted() -> None:
    """From sample 15 to 55 the network has the core: 16..35 find room, 36..55 do not."""
    found = played([due(15), due(63)], a_sample=0.0, networks=(640.0,), ring=20)
    assert found.n_lost == 20
    assert found.deepest_samples == 20
    assert found.n_barred == 1  # the second window lost some of its own
    assert played([due(15)], a_sample=0.0, networks=(640.0,), ring=40).n_lost == 0


def test_a_window_that_lost_no_more_than_its_rule_allows_is_judged() -> None:
    asked = [due(15), due(63)]
    options = {"a_sample": 0.0, "ring": 20, "n_samples": 80}
    assert played(asked, networks=(640.0,), most_lost_s=0.2, **options).n_barred == 0  # type: ignore[arg-type]
    assert played(asked, networks=(640.0,), most_lost_s=0.19, **options).n_barred == 1  # type: ignore[arg-type]
    later = [due(15), due(63, begin_s=0.56)]  # begins behind what was lost
    assert played(later, networks=(640.0,), **options).n_barred == 0  # type: ignore[arg-type]


def test_a_core_below_the_demand_is_late_and_one_above_it_never() -> None:
    dues = [due(100 * k - 1, begin_s=k - 1) for k in range(1, 61)]
    demand_hz = played(dues, n_samples=6000, networks=(1000.0,)).needed_hz
    assert demand_hz == pytest.approx(100 + 60 * 1000 / 60)
    slow = played(dues, n_samples=6000, networks=(1000.0,), clock_hz=0.8 * demand_hz, most_lost_s=1.0)
    fast = played(dues, n_samples=6000, networks=(1000.0,), clock_hz=1.25 * demand_hz)
    assert slow.verdicts[0].n_late(1.0) > 0
    assert slow.n_lost > 0
    assert max(slow.busy_s, key=lambda stage: slow.busy_s[stage]) == "net 0"
    assert (fast.verdicts[0].n_late(1.0), fast.n_lost) == (0, 0)
    assert fast.load == pytest.approx(0.8)


def test_a_ring_holds_at_least_a_portion() -> None:
    with pytest.raises(ContractError, match="--ring: expected at least 16 samples"):
        played([], ring=15)


def test_a_shipped_bundle_in_real_time(
    mcu_extra: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replay = [
        "replay",
        str(BEAT),
        "--board",
        "nrf52840",
        "--synthetic",
        "--seconds",
        "20",
        "--scene",
        "normal",
    ]
    budget = tmp_path / "budget.toml"
    budget.write_text("format = 1\n[limits.cortex-m4]\n[realtime]\nload_percent = 5\ncore_ms = 20\n")
    assert main([*replay, "--budget", str(budget)]) == 0
    said = capsys.readouterr().out
    assert "lost 0 of 5,120" in said
    assert "modelled, cycles at their high end" in said

    assert main([*replay, "--clock", "1.2", "--budget", str(budget)]) == 1
    said = capsys.readouterr().out
    assert [line.split()[0] for line in said.splitlines() if line[:4].isupper()] == ["OVER", "OVER"]
    assert "OVER load_percent: " in said
    assert main([*replay, "--clock", "0.7", "--ring", "32"]) == 1
    said = capsys.readouterr().out
    assert "LOST " in said
    assert "the time goes to front end 7" in said


def test_this_machine_is_metered_by_a_clock_portion_by_portion() -> None:
    """A clock that moves 2 ms whenever somebody looks: every portion takes 2 ms."""
    ticks = iter(range(1 << 20))
    source = SyntheticSource(Scene(rate_hz=256, seconds=20), seed=1)
    found = realtime_here.measure(source, [cascade_of()], None, clock=lambda: next(ticks) * 0.002)
    assert found.seconds == 20
    assert found.busy_s == pytest.approx(0.002 * 20 * 256 / 16)
    quality, beats = found.took_s
    assert quality.size == 13  # windows of 5 s from the first second on, known 2.4 s after their end
    assert beats.size > 5
    assert quality == pytest.approx(np.full(13, 0.002))
    assert found.waited_s[0] == pytest.approx(np.full(13, 2.43), abs=0.01)
    assert (found.n_late(0.001), found.n_late(0.003)) == (13 + beats.size, 0)
    assert found.rss_bytes > 1 << 20


def test_a_replay_here_says_it_is_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(BEAT), "--here", "--synthetic", "--seconds", "20"]) == 0
    said = capsys.readouterr().out
    assert "on this machine, by its clock" in said
    assert "memory, resident" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--synthetic", "--board", "nowhere"], "--board: expected one of"),
        (["--synthetic", "--board", "apollo510"], "expected a core with a model"),
        (["--board", "nrf52840"], "expected one of --synthetic, --file FILE"),
        (["--synthetic"], "one of the arguments --board --here is required"),
        (["--synthetic", "--here", "--clock", "3"], "--clock: means nothing to --here"),
        (["--synthetic", "--here", "--ring", "64"], "--ring: means nothing to --here"),
        (["--synthetic", "--here", "--seconds", "0.01"], "expected at least 16 samples, got 3"),
        (["--synthetic", "--board", "nrf52840", "--clock", "0"], "--clock: expected MHz above 0"),
        (["--synthetic", "--board", "nrf52840", "--deadline", "-1"], "--deadline: expected a number above 0"),
        (["--synthetic", "--board", "nrf52840", "--budget", "none.toml"], "none.toml: expected a budget"),
    ],
)
def test_a_replay_without_sense_is_one_line(
    options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(BEAT), *options]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
