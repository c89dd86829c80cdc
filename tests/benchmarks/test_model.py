"""Networks on emulated cores: this machine's bytes on every core, and counts that add up."""

import subprocess
from pathlib import Path

import pytest

from benchmarks.mcu import hook, image, model, qemu
from benchmarks.mcu.emulator import Emulator
from benchmarks.mcu.image import Image
from benchmarks.mcu.targets import COUNTED, M4, M55, TARGETS, Target, target
from device_sim.contract.bundle import Bundle
from device_sim.contract.errors import ContractError
from tests.benchmarks.nets import bundle_of, every_network


@pytest.fixture(scope="module")
def every() -> Bundle:
    return bundle_of(every_network())


@pytest.fixture(scope="module")
def folder(mcu_extra: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("every")


@pytest.fixture(scope="module")
def on_m4(every: Bundle, folder: Path) -> Image:
    return model.build(every, folder, M4)


@pytest.mark.parametrize("core", COUNTED, ids=lambda core: core.name)
def test_every_core_gives_this_machine_s_bytes(core: Target, every: Bundle, folder: Path) -> None:
    said = model.run(model.build(every, folder, core), every.graph)
    windows = model.windows_of(every)
    assert said.n_windows == windows.n
    assert said.n_wrong == 0
    assert said.hash == model.hash_here(every.graph, windows)


def test_the_m55_s_vectors_give_this_machine_s_bytes(every: Bundle, folder: Path) -> None:
    if not qemu.is_installed():
        pytest.skip(f"{qemu.SYSTEM}: {qemu.INSTALL}")
    windows = model.windows_of(every)
    said = qemu.run(model.build(every, folder, M55))
    assert said.words[:4] == (0, windows.n, 0, model.hash_here(every.graph, windows))


def test_a_wrong_expectation_is_counted_byte_by_byte(every: Bundle, tmp_path: Path, mcu_extra: None) -> None:
    windows = model.windows_of(every)
    name = every.graph.outputs[0]
    wrong = {key: codes.copy() for key, codes in windows.outputs.items()}
    wrong[name].ravel()[[0, 5]] ^= 1
    spoiled = model.Windows(inputs=windows.inputs, outputs=wrong)
    assert model.run(model.build(every, tmp_path, M4, windows=spoiled), every.graph).n_wrong == 2


def test_the_layers_and_the_functions_are_the_same_instructions(every: Bundle, on_m4: Image) -> None:
    said = model.run(on_m4, every.graph)
    assert len(said.layers) > 15
    assert all(layer.instructions > 0 for layer in said.layers)
    assert sum(said.functions.values()) == pytest.approx(said.instructions)
    assert {"wl_conv2d", "wl_dense", "wl_softmax"} <= set(said.functions)


def test_python_counts_what_the_compiled_hook_counts(every: Bundle, on_m4: Image) -> None:
    assert hook.native() is not None
    fast, slow = Emulator(on_m4), Emulator(on_m4, in_python=True)
    assert model.run(on_m4, every.graph, fast) == model.run(on_m4, every.graph, slow)
    assert fast.charged == slow.charged
    assert fast._places == slow._places


def test_ten_runs_count_the_same(every: Bundle, on_m4: Image) -> None:
    runs = [model.run(on_m4, every.graph) for _ in range(10)]
    assert all(one == runs[0] for one in runs)


@pytest.mark.parametrize("level", ["-O0", "-Os", "-O3"])
@pytest.mark.parametrize("core", TARGETS.values(), ids=lambda core: core.name)
def test_the_kernels_compile_clean_for_every_target(
    core: Target, level: str, mcu_extra: None, tmp_path: Path
) -> None:
    """Somebody else's flags: without optimisation a compiler has no register to spare for the steps."""
    warnings = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror"]
    rooms = [image.FIRMWARE / "include", *([image.PORT / "include"] if core.is_mcu else [])]
    places = [f"-I{room}" for room in rooms]
    for name in ("conv.c", "conv_vectors.c", "dense.c"):
        command = [
            *image.compile_command(core, image.ZIG), *warnings, level, *places,
            "-c", str(image.FIRMWARE / "src" / name), "-o", str(tmp_path / "x.o"),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr


def test_a_core_that_unicorn_does_not_have_is_named() -> None:
    with pytest.raises(ContractError, match="cortex-m55: unicorn has no such core"):
        Emulator(Image(path=Path("x.elf"), segments=(), symbols={}, target=M55))


def test_an_unknown_target_is_one_line() -> None:
    with pytest.raises(ContractError, match=r"expected one of cortex-m0plus, .* got 'cortex-m3'"):
        target("cortex-m3")
