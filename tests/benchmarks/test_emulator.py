"""The emulated core: the right model, exact counts, and the same answer as this machine and the twin."""

from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from benchmarks import drive
from benchmarks.drive import Drive
from benchmarks.mcu import image
from benchmarks.mcu.emulator import Emulator, count_instructions
from benchmarks.mcu.image import Image
from device_sim.contract.errors import BudgetExceeded, ContractError
from device_sim.frontend import RATES_HZ, rational_gain
from tests.golden import twin

SECONDS = 4  # the first column is complete after 2.5 s
INPUTS = (drive.ecg, drive.noise, drive.rails)


def silence(rate_hz: int, seconds: float) -> Drive:
    return Drive(name="silence", rate_hz=rate_hz, counts_i32=np.zeros(round(rate_hz * seconds), np.int32))


def electrode(rate_hz: int, seconds: float) -> Drive:
    """A full 300 mV of offset that changes its sign."""
    n = round(rate_hz * seconds)
    counts = np.where(np.arange(n) < n // 2, -300_000, 300_000).astype(np.int32)
    return Drive(name="electrode", rate_hz=rate_hz, counts_i32=counts)


LOOP = """
int main(void);
__attribute__((naked)) int main(void)
{
    __asm volatile("movs r0, #100\\n"
                   "1: subs r0, #1\\n"
                   "bne 1b\\n"
                   "cmp r0, #0\\n"
                   "it ne\\n"
                   "movne r1, #1\\n"
                   "movs r0, #0\\n"
                   "bx lr");
}
"""
CASES = [
    *((play, rate_hz) for rate_hz, play in product(RATES_HZ, INPUTS)),
    *((play, rate_hz) for rate_hz, play in product((250, 256), (silence, electrode))),
]


@pytest.mark.parametrize(("play", "rate_hz"), CASES, ids=lambda c: getattr(c, "__name__", str(c)))
def test_the_image_answers_as_this_machine_and_as_the_twin(
    play: Callable[[int, float], Drive], rate_hz: int, image_all: Image
) -> None:
    played = play(rate_hz, SECONDS)
    on_m4, _ = drive.run_on_m4(image_all, played)
    expected = twin.front_end(
        played.counts_i32.astype(np.int64),
        rate_hz=rate_hz,
        gain=rational_gain(played.uv_per_count),
        rails=played.rails_counts,
    )
    assert on_m4.n_columns > 20
    assert on_m4.n_beats > 400
    assert on_m4 == drive.run_here(played)
    assert on_m4 == drive.hash_in_order(expected)


def test_an_image_for_one_rate_answers_as_the_one_for_all(image_256: Image, image_all: Image) -> None:
    played = drive.ecg(256, SECONDS)
    assert drive.run_on_m4(image_256, played)[0] == drive.run_on_m4(image_all, played)[0]


def test_the_hash_is_fnv_1a() -> None:
    assert drive.fnv_1a(drive.FNV_START, b"") == 0x811C9DC5
    assert drive.fnv_1a(drive.FNV_START, b"foobar") == 0xBF9CF968


def test_another_core_than_the_one_asked_for_is_refused(
    image_256: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    import unicorn
    from unicorn.arm_const import UC_CPU_ARM_CORTEX_M4

    uc = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB, cpu=UC_CPU_ARM_CORTEX_M4)
    assert uc.ctl_get_cpu_model() == UC_CPU_ARM_CORTEX_M4
    # What UC_MODE_MCLASS does in silence: a Cortex-M33.
    monkeypatch.setattr(unicorn, "UC_MODE_THUMB", unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
    with pytest.raises(ContractError, match="asked for Cortex-M4, got model 11"):
        Emulator(image_256)


def test_ten_runs_count_the_same(image_256: Image) -> None:
    played = drive.ecg(256, 1)
    runs = [drive.run_on_m4(image_256, played, shared=("wl_level",))[1] for _ in range(10)]
    assert all(run.charged == runs[0].charged for run in runs)
    assert all(run.stack_bytes == runs[0].stack_bytes for run in runs)


def test_a_loop_written_by_hand_counts_as_on_paper(mcu_extra: None, tmp_path: Path) -> None:
    source = tmp_path / "loop.c"
    source.write_text(LOOP)
    sources = [*image.port_sources("frontend_main.c")[:1], source]
    emulator = Emulator(image.build(sources, tmp_path / "loop.elf"))
    emulator.run(jobs={}, max_instructions=10_000)
    # One before the loop, 100 x 2 in it, 5 behind it: what an IT block skips still takes its slot.
    assert emulator.counts["main"] == 1 + 200 + 5


def test_a_run_that_does_not_end_is_stopped(image_256: Image) -> None:
    emulator = Emulator(image_256)
    with pytest.raises(BudgetExceeded, match="never reached wl_halt"):
        emulator.run(jobs={"wl_job": drive.noise(256, 1).job()}, max_instructions=10_000)


def test_the_core_s_refusal_is_passed_on(image_256: Image) -> None:
    with pytest.raises(ContractError, match="the core refused ecg at 250 Hz: status 1"):
        drive.run_on_m4(image_256, drive.ecg(250, 1))


def test_thumb_instructions_are_two_or_four_bytes() -> None:
    nop, bl = b"\x00\xbf", b"\x00\xf0\x00\xf8"
    assert count_instructions(nop + bl + nop) == 3
    assert count_instructions(b"") == 0
