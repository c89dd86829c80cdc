"""Boards, images and checks: every board is read, a missing tool is skipped by name and never passed."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import board_cost
from benchmarks.mcu import check, cycles, device, image, model, qemu
from benchmarks.mcu.cycles import Class, Histogram, Interval
from benchmarks.mcu.emulator import Emulator
from benchmarks.mcu.targets import A72, M4, TARGETS, Target
from device_sim.__main__ import main
from device_sim.app import app_of
from device_sim.contract.board import Flash, Power, read_board
from device_sim.contract.bundle import Bundle, write_bundle
from device_sim.contract.cascade import bundles_of
from device_sim.contract.errors import ContractError
from device_sim.stream import CoreStream, Table
from device_sim.verdict import By
from tests.benchmarks.nets import bundle_of, judged
from tests.device_sim.bundles import cascade_of
from tests.golden.networks import Sketch

UNALIGNED = """
#include <stdint.h>
static volatile uint32_t words[4];
int main(void);
__attribute__((noinline)) int main(void)
{
    uint32_t a, b;
    char *odd = (char *)words + 2;

    __asm volatile("ldr %0, [%1]" : "=r"(a) : "r"(odd));
    __asm volatile("ldrd %0, %1, [%2]" : "=r"(a), "=r"(b) : "r"(words));
    __asm volatile("ldrd %0, %1, [%2, #4]" : "=r"(a), "=r"(b) : "r"(odd));
    return (int)(a + b);
}
"""


POWERED = """
format = 1
name = "x"
core = ""
clock_hz = 1
flash_bytes = 1
ram_bytes = 1
[power]
supply_mv = 3000
run_ua = 1
sleep_ua = 1
source = "a datasheet"
is_checked = true
"""


@pytest.fixture(scope="module")
def beat(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, Path]:
    s = Sketch("beat", 3)
    x = s.conv(s.input("shape", 1, 128, 2), 4, (1, 5), stride=(1, 4))
    bundle = judged(bundle_of(s.graph(s.dense(s.reshape(x, 31 * 4), 1))))
    folder = tmp_path_factory.mktemp("bundles") / "beat"
    write_bundle(bundle, folder)
    return bundle, folder


@pytest.mark.parametrize("name", board_cost.board_names())
def test_every_board_names_the_source_of_its_currents_or_why_it_has_none(name: str) -> None:
    board = board_cost.board_named(name)
    assert board.core in ("", *TARGETS)
    if board.power is None:
        assert board.no_currents
        assert board_cost.energy(board, Interval(low=0, high=0.1), 225) == [
            f"energy                      not known: {board.no_currents}"
        ]
        return
    power, whose = board.power, "whole board" if board.power.whole_board else "core alone"
    assert power.is_checked
    assert len(power.source) > 40
    assert 0 < power.sleep_ua < power.run_ua
    said = board_cost.energy(board, Interval(low=0.01, high=0.1), 225)
    assert [line.split(",")[0].split("  ")[0] for line in said] == [
        "mean current",
        "a battery",
        "currents from",
    ]
    assert said[0].endswith(f": the {whose}")
    assert said[2].endswith(power.source)


def test_the_boards_are_those_promised() -> None:
    assert set(board_cost.board_names()) == {
        *("nrf52840", "nrf5340", "stm32l476", "stm32f746", "stm32h743", "rp2040", "rp2350"),
        *("apollo4_plus", "apollo510", "esp32_s3", "pi_zero_2w", "pi_4", "pi_5"),
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("format = 1\n", "name: expected the field"),
        ('format = 1\nname = "x"\ncore = ""\nclock_hz = 0\n', "clock_hz: expected a whole number 1.."),
        ("format = [", "expected TOML"),
        (POWERED.replace("a datasheet", " "), "power: source: expected where these currents stand"),
        (
            POWERED.replace("core", 'no_currents = "none"\ncore'),
            r"expected \[power\] or no_currents, got both",
        ),
    ],
)
def test_a_board_with_a_fault_is_one_line(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text(text)
    with pytest.raises(ContractError, match=said):
        read_board(path)


def test_an_unknown_board_is_answered_with_the_known(
    beat: tuple[Bundle, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["mcu", "build", str(beat[1]), "--board", "arduino"]) == 2
    assert "expected one of apollo4_plus, apollo510" in capsys.readouterr().err


def test_the_sizes_add_up_to_the_image(
    beat: tuple[Bundle, Path], mcu_extra: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "beat.elf"
    assert main(["mcu", "build", str(beat[1]), "--board", "nrf52840", "--out", str(out)]) == 0
    built = image.read_image(out, M4)
    sizes = device.sizes_of(built, 100)
    assert sum(sizes.flash_by_object.values()) == built.flash_bytes
    assert sum(sizes.ram_by_object.values()) == built.ram_bytes
    assert sizes.flash_bytes == built.flash_bytes - sizes.flash_by_object["harness"]
    assert {"model", "kernels", "front end", "beats", "tables"} <= set(sizes.flash_by_object)
    said = capsys.readouterr().out
    assert all(f"  {name} " in said for name in ("stack", "arena", "kernels", ".text"))


def test_a_device_that_is_too_small_does_not_link(
    beat: tuple[Bundle, Path], mcu_extra: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (board_cost.BOARDS / "nrf52840.toml").read_text()
    path = tmp_path / "small.toml"
    path.write_text(text.replace("flash_bytes = 1_048_576", "flash_bytes = 8_192"))
    assert main(["mcu", "build", str(beat[1]), "--board", str(path)]) == 2
    assert "will not fit in region 'FLASH'" in capsys.readouterr().err


def test_the_cost_on_a_board_is_an_interval_and_says_what_is_modelled(
    beat: tuple[Bundle, Path], mcu_extra: None
) -> None:
    bundle, _ = beat
    board = board_cost.board_named("nrf52840")
    cost = board_cost.measure([bundle], board, heart_rate_bpm=180)
    assert [one.windows_a_second for one in cost.networks] == [3]
    assert set(cost.stages) == {"front end", "windows", "wire"}
    assert 0 < cost.load.low < cost.load.high < 0.05
    said = board_cost.text(cost, 225)
    assert "Modelled, at 180 beats a minute" in said
    assert "recalled, not looked up again" not in said
    recalled = replace(board, power=replace(board.power, is_checked=False)) if board.power else board
    assert "recalled, not looked up again" in board_cost.text(replace(cost, board=recalled), 225)


def test_two_bundles_share_all_but_models_and_arenas() -> None:
    one = device.Sizes(
        sections=(),
        flash_by_object={"model": 100, "kernels": 50},
        ram_by_object={"arena and judges": 10, "front end": 7},
        stack_bytes=30,
    )
    other = device.Sizes(
        sections=(),
        flash_by_object={"model": 20, "kernels": 50, "beats": 5},
        ram_by_object={"arena and judges": 4, "front end": 7, "harness": 99},
        stack_bytes=40,
    )
    both = device.together([one, other])
    assert (both.flash_bytes, both.ram_bytes) == (100 + 20 + 50 + 5, 10 + 4 + 7 + 40)


def test_cycles_follow_the_classes() -> None:
    ran = Histogram(
        classes={Class.PLAIN: 10, Class.LOAD: 2, Class.MANY_START: 1, Class.MANY: 4}, n_taken=3, code_bytes=64
    )
    assert ran.instructions == 13
    assert cycles.cycles(ran, cycles.model_of("cortex-m4")) == Interval(
        low=10 + 4 + 5 + 3, high=10 + 4 + 5 + 9
    )
    assert cycles.stalls(ran, Flash(wait_states=2, line_bytes=16, has_cache=False)) == Interval(
        low=8, high=12
    )
    assert cycles.stalls(ran, None) == Interval(low=0, high=0)
    with pytest.raises(ContractError, match="expected a core with a model"):
        cycles.model_of("cortex-m55")


@pytest.mark.parametrize("core", [M4, A72], ids=lambda core: core.name)
def test_a_histogram_holds_every_instruction_that_was_counted(
    core: Target, beat: tuple[Bundle, Path], mcu_extra: None, tmp_path: Path
) -> None:
    built = device.build(beat[0], tmp_path, core)
    emulator = Emulator(built)
    device.run(built, beat[0], device.ecg(3), emulator)
    regions = cycles.histograms(emulator)
    assert {region: of.instructions for region, of in regions.items()} == emulator.regions


def test_a_computer_is_counted_exactly_and_its_cycles_are_bounds(
    beat: tuple[Bundle, Path], mcu_extra: None
) -> None:
    costs = [
        board_cost.measure([beat[0]], board_cost.board_named(name)) for name in ("pi_zero_2w", "pi_4", "pi_5")
    ]
    assert len({one.networks[0].instructions for one in costs}) == 1
    for one, width in zip(costs, (2, 3, 4), strict=True):
        network = one.networks[0]
        assert network.window.low == pytest.approx(network.instructions / width)
        assert network.window.high > 2 * network.instructions
        said = board_cost.text(one, 225)
        assert "Bounds, all in the first cache and without Linux, at 70 beats a minute" in said
        assert " hours from 225 mAh" in said


def test_the_slow_counter_counts_a_computer_the_same(
    beat: tuple[Bundle, Path], mcu_extra: None, tmp_path: Path
) -> None:
    built = model.build(beat[0], tmp_path, A72)
    fast, slow = Emulator(built), Emulator(built, in_python=True)
    assert model.run(built, beat[0].graph, fast) == model.run(built, beat[0].graph, slow)


def test_half_a_load_lasts_twice_as_long() -> None:
    power = Power(supply_mv=3000, run_ua=2000, sleep_ua=2, source="x", is_checked=True)
    assert power.mean_ua(0.5) == 1001
    assert power.days(240.24, 0.5) == pytest.approx(10)


def test_an_access_that_a_core_refuses_is_found(mcu_extra: None, tmp_path: Path) -> None:
    source = tmp_path / "odd.c"
    source.write_text(UNALIGNED)
    built = image.build([*image.port_sources("x.c")[:1], source], tmp_path / "odd.elf")
    first, second = Emulator(built), Emulator(built)
    first.run(jobs={}, max_instructions=10_000)
    watched = second.watch(first.strict_places())
    second.run(jobs={}, max_instructions=10_000)
    assert sorted(int(strict.n_unaligned) for strict in watched.values())[-1] == 1
    assert sum(int(strict.n_unaligned) for strict in watched.values()) == 1


def test_every_core_passes_and_a_second_emulator_counts_the_same(
    beat: tuple[Bundle, Path], mcu_extra: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "COUNTED", (M4,))
    results = check.check(beat[0])
    assert [one.check for one in results] == ["bytes", "alignment", "QEMU", "QEMU"]
    expected = True if qemu.is_installed() else None
    assert [one.passed for one in results] == [True, True, expected, expected]


def test_an_absent_tool_is_skipped_by_name(
    beat: tuple[Bundle, Path], mcu_extra: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qemu, "is_installed", lambda: False)
    monkeypatch.setattr(check, "COUNTED", ())
    (result,) = check.check(beat[0])
    assert result.passed is None
    assert "qemu-system-arm: apt install qemu-system-arm" in check.text([result])
    assert "skipped" in check.text([result])


def test_other_bytes_fail_the_check(
    beat: tuple[Bundle, Path],
    mcu_extra: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(qemu, "is_installed", lambda: False)
    monkeypatch.setattr(check, "COUNTED", (M4,))
    monkeypatch.setattr(model, "hash_here", lambda graph, windows: 0)
    assert main(["mcu", "check", str(beat[1])]) == 1
    assert "bytes      FAILED" in capsys.readouterr().out


def test_numbers_that_nobody_judges_are_no_device(mcu_extra: None, tmp_path: Path) -> None:
    s = Sketch("odd", 3)
    x = s.conv(s.input("shape", 1, 128, 2), 4, (1, 5), stride=(1, 4))
    bundle = bundle_of(s.graph(s.dense(s.reshape(x, 31 * 4), 1)))
    with pytest.raises(ContractError, match="verdict: expected thresholds and scores, found none"):
        device.build(bundle, tmp_path, M4)


@pytest.mark.parametrize("paints", [False, True])
def test_a_cascade_is_one_image_whose_verdicts_are_this_machine_s(
    mcu_extra: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, paints: bool
) -> None:
    closed, played = cascade_of(paints=paints), device.ecg(20, 120)
    gate = replace(closed.gate, accept_q8=-127 << 8, reject_q8=-128 << 8)  # so that beats pass
    application = replace(closed, gate=gate)
    built = device.build(application, tmp_path, M4)
    stream = device.run(built, application, played)
    said = CoreStream(Table(app_of(application)), rate_hz=256).push(played.counts_i32)
    asked = Counter(verdict.bundle_digest for verdict in said if verdict.by is By.NETWORK)
    assert stream.n_windows == {one.name: asked[one.digest] for one in bundles_of(application)}
    assert all(stream.n_windows.values())
    assert all(stream.by_stage.values())
    monkeypatch.setattr(device, "hash_here", lambda application, played: 0)
    with pytest.raises(ContractError, match="cortex-m4 and this machine give different verdicts"):
        device.run(built, application, played)
