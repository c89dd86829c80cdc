"""The folder of C builds outside the tree, alone, without a warning, and gives the twin's bytes."""

import dataclasses
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from device_sim.contract.bundle import Bundle
from device_sim.contract.cascade import Cascade, bundles_of, read_application
from device_sim.contract.errors import ContractError
from device_sim.contract.inputs import InputKind
from device_sim.contract.labels import Labels
from device_sim.contract.window import WindowSpec
from export.to_c import to_c
from export.to_tflite import to_tflite
from tests.device_sim.bundles import bundle_of, cascade_of
from tests.export.nets import example
from tests.golden.networks import graphs

ROOT = Path(__file__).resolve().parents[2]
WARNINGS = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
COMPILERS = {
    "machine": [*(os.environ.get("CC", "cc").split()), "-O2", *SANITIZERS],
    "zig": [sys.executable, "-m", "ziglang", "cc", "-O2"],
}


def bundle(name: str) -> Bundle:
    graph = graphs()[name][1] if name in graphs() else example(name).graph
    return Bundle(
        name=name.replace("_", "-"),
        input=InputKind.BEAT,
        window=WindowSpec(rate_hz=128, length_samples=128, hop_samples=128, uv_per_lsb=32),
        labels=Labels(("normal", 'odd "\\one"\u00e9')),
        graph=graph,
    )


def build(folder: Path, compiler: list[str]) -> Path:
    """Everything in the folder, nothing from elsewhere."""
    program = folder / "check"
    sources = sorted(str(path.relative_to(folder)) for path in (folder / "src").glob("*.c"))
    command = [*compiler, *WARNINGS, "-Isrc", "-I.", "main.c", *sources, "-o", program.name]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return program


@pytest.mark.parametrize("name", ["joined", "cardiacnet"])
@pytest.mark.parametrize("compiler", COMPILERS)
def test_the_folder_builds_alone_and_passes_its_vectors(name: str, compiler: str, tmp_path: Path) -> None:
    one = bundle(name)
    to_c(one, tmp_path / "c")
    program = build(tmp_path / "c", COMPILERS[compiler])
    done = subprocess.run([program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{one.digest[:12]}: 4 vectors, 0 failures\n"


@pytest.mark.parametrize("name", graphs())
def test_every_operator_can_be_written_as_c(name: str, tmp_path: Path) -> None:
    to_c(bundle(name), tmp_path / "c")
    source = (tmp_path / "c/src/wl_model.c").read_text()
    assert source.count("{.") == source.count(".kind = WL_OP_")
    command = [*COMPILERS["machine"][:1], *WARNINGS, "-fsyntax-only", "-Isrc", "src/wl_model.c"]
    done = subprocess.run(command, cwd=tmp_path / "c", capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_wrong_weight_is_noticed_by_the_folder_itself(tmp_path: Path) -> None:
    to_c(bundle("joined"), tmp_path / "c")
    model = tmp_path / "c/src/wl_model.c"
    text = model.read_text()
    start = text.index("{\n", text.index("op0_weight[72]")) + 2
    first = text[start:].split(",")[0]
    wrong = " -127" if first.strip() != "-127" else " 127"
    model.write_text(text[:start] + wrong + text[start + len(first) :])
    done = subprocess.run([build(tmp_path / "c", COMPILERS["machine"])], capture_output=True, text=True)
    assert done.returncode == 1
    assert "0 failures" not in done.stdout


def test_the_same_bundle_gives_the_same_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        to_c(bundle("joined"), tmp_path / name)
    first = sorted(path for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert len(first) > 20
    for path in first:
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()


def test_the_folder_holds_what_build_systems_look_for(tmp_path: Path) -> None:
    to_c(bundle("joined"), tmp_path / "c")
    names = {str(path.relative_to(tmp_path / "c")) for path in (tmp_path / "c").rglob("*") if path.is_file()}
    assert {"CMakeLists.txt", "library.properties", "library.json", "zephyr/module.yml", "plan.json"} <= names
    assert {"src/wl.h", "src/wl_model.h", "src/graph.c", "src/conv.c", "main.c"} <= names
    assert json.loads((tmp_path / "c/library.json").read_text())["build"]["srcDir"] == "src"
    assert json.loads((tmp_path / "c/plan.json").read_text())["arena_bytes"] == 1924


def test_a_cpp_program_links_to_it(tmp_path: Path) -> None:
    """As an Arduino sketch does, and finds every header where its tools look: in src."""
    to_c(bundle("dense"), tmp_path / "c")
    (tmp_path / "main.cpp").write_text(
        '#include "wl_model.h"\nint main() { int32_t at; return wl_graph_check(&wl_model, &at); }\n'
    )
    zig = [sys.executable, "-m", "ziglang"]
    sources = sorted(map(str, (tmp_path / "c/src").glob("*.c")))
    for command in (
        [*zig, "c++", "-c", "-Wall", "-Wextra", "-Werror", "-Ic/src", "main.cpp"],
        [*zig, "cc", "-Ic/src", "main.o", *sources, "-o", "main"],
        ["./main"],
    ):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr


def test_the_tflite_file_comes_as_an_array_for_tflite_micro(tmp_path: Path) -> None:
    file = to_tflite(example("beat_tiny").graph)
    one = dataclasses.replace(bundle("beat_tiny"), files={"model.tflite": file})
    to_c(one, tmp_path / "c")
    source = tmp_path / "c/tflm/beat_tiny_model_data.cc"
    program = tmp_path / "print.c"
    program.write_text(
        '#include <stdio.h>\n#include <stdint.h>\n#include "beat_tiny_model_data.h"\n'
        "int main(void) {\n"
        "    if ((uintptr_t)g_beat_tiny_model_data % 16) return 1;\n"
        "    fwrite(g_beat_tiny_model_data, 1, g_beat_tiny_model_data_len, stdout);\n}\n"
    )
    # C++ that is C as well, but for the spelling of alignas.
    compiler = [
        *COMPILERS["machine"][:1],
        "-x",
        "c",
        "-std=c11",
        "-include",
        "stdalign.h",
        "-Wall",
        "-Werror",
    ]
    command = [*compiler, f"-I{source.parent}", str(program), str(source), "-o", str(tmp_path / "print")]
    subprocess.run(command, check=True, timeout=300)
    assert subprocess.run([tmp_path / "print"], check=True, capture_output=True).stdout == file
    to_c(bundle("beat_tiny"), tmp_path / "without")
    assert not (tmp_path / "without/tflm").exists()


def test_c_is_not_written_over_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="C is not written over what is there"):
        to_c(bundle("dense"), tmp_path)


STREAMS: dict[str, Callable[[], Bundle | Cascade]] = {
    "blind": lambda: bundle_of(InputKind.BLIND),
    "gated": cascade_of,
    "gated by a picture": lambda: cascade_of(paints=True),
}


@pytest.mark.parametrize("name", STREAMS)
def test_the_folder_says_what_the_twin_says_of_a_stream(name: str, tmp_path: Path) -> None:
    application = STREAMS[name]()
    to_c(application, tmp_path / "c")
    program = build(tmp_path / "c", COMPILERS["machine"])
    done = subprocess.run([program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[:-1] == [f"{one.digest[:12]}: 4 vectors, 0 failures" for one in bundles_of(application)]
    assert re.fullmatch(r"stream: \d{2,3} events, every byte equal", lines[-1])


def test_a_gate_that_somebody_moved_is_noticed_by_the_folder_itself(tmp_path: Path) -> None:
    to_c(read_application(ROOT / "models/cascade"), tmp_path / "c")
    table = tmp_path / "c/src/wl_app.c"
    text = table.read_text()
    assert text.count("wl_gate gate = {10364, 10363,") == 1
    table.write_text(text.replace("wl_gate gate = {10364, 10363,", "wl_gate gate = {-20000, -20001,"))
    done = subprocess.run([build(tmp_path / "c", COMPILERS["machine"])], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].endswith("events, DIFFERENT")
