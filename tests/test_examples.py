"""Every example is built as far as the tools here go, and what runs says what `wristlead run` says."""

import configparser
import re
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from device_sim import open_bundle
from device_sim.contract.bundle import read_bundle
from device_sim.contract.cascade import read_application
from device_sim.fingerprint import stretch
from export.to_c import to_c
from tests.doc_commands import ROOT, words_of
from tests.test_docs import read_by_its_parser

EXAMPLES, HERE = ROOT / "examples", ROOT / "tests/examples"
QUALITY, CASCADE = ROOT / "models/quality-tiny", ROOT / "models/cascade"
ZIG = [sys.executable, "-m", "ziglang"]
STRICT = ["-Wall", "-Wextra", "-Wconversion", "-Werror"]
CORTEX_M4 = ["-target", "thumb-freestanding-eabi", "-mcpu=cortex_m4"]
SECONDS = 12


def ran(*command: object, stdin: str = "", folder: Path = ROOT) -> str:
    done = subprocess.run(
        [*map(str, command)], input=stdin, cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `wristlead export models/quality-tiny --c` writes."""
    written = tmp_path_factory.mktemp("c") / "wl"
    to_c(read_bundle(QUALITY), written)
    return written


@pytest.mark.parametrize("application", [QUALITY, CASCADE], ids=lambda path: path.name)
def test_the_cmake_example_says_what_run_says(application: Path, tmp_path: Path) -> None:
    if shutil.which("cmake") is None:
        pytest.skip("cmake: not installed: `apt install cmake`")
    folder = tmp_path / "wl"
    to_c(read_application(application), folder)
    flags = f"-DCMAKE_C_FLAGS={' '.join(STRICT)}"
    ran("cmake", "-S", EXAMPLES / "cmake", "-B", tmp_path / "b", f"-DWL_MODEL={folder}", flags)
    ran("cmake", "--build", tmp_path / "b")
    counts = stretch(256, SECONDS)
    said = ran(tmp_path / "b/ecg", stdin="\n".join(map(str, counts))).splitlines()
    with open_bundle(application) as bundle:
        verdicts = bundle.run(counts, rate_hz=256, uv_per_lsb=1)
    assert len(verdicts) > 5
    assert said == [f"{one.t0_us} {one.label} {one.margin_q8}" for one in verdicts]


def test_the_cmake_example_without_a_folder_says_what_it_wants(tmp_path: Path) -> None:
    if shutil.which("cmake") is None:
        pytest.skip("cmake: not installed: `apt install cmake`")
    command = ["cmake", "-S", str(EXAMPLES / "cmake"), "-B", str(tmp_path), "-DWL_MODEL=/nowhere"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode != 0
    assert "wristlead export BUNDLE --c" in done.stderr


def test_the_arduino_sketch_says_what_run_says(folder: Path, tmp_path: Path) -> None:
    """As C++ beside an Arduino.h of ours: its converter is a file, its serial port is a pipe."""
    pytest.importorskip("ziglang", reason="compiles the sketch: pip install -e '.[mcu]'")
    sketch = EXAMPLES / "arduino/wristlead_ecg"
    includes = [f"-I{sketch}", f"-I{HERE / 'arduino'}", f"-I{folder / 'src'}"]
    ran(
        *ZIG,
        "c++",
        "-O2",
        "-Wall",
        "-Wextra",
        "-Werror",
        *includes,
        "-c",
        HERE / "arduino/main.cpp",
        folder=tmp_path,
    )
    sources = sorted((folder / "src").glob("*.c"))
    ran(*ZIG, "cc", "-O2", "main.o", *sources, "-o", "sketch", folder=tmp_path)
    counts = (2048 + stretch(250, SECONDS)).astype(np.int32)
    assert 1 < counts.min() < counts.max() < 4094  # the sketch's rails
    said = ran(tmp_path / "sketch", stdin="\n".join(map(str, counts))).splitlines()
    with open_bundle(QUALITY) as bundle:
        verdicts = bundle.stream(rate_hz=250, uv_per_lsb=Fraction(47, 64)).push(counts)
    assert len(verdicts) > 2
    assert said == [f"{int(one.t0_us / 1000)} ms: {one.label}" for one in verdicts]


def test_the_zephyr_example_compiles_for_a_cortex_m4(folder: Path, tmp_path: Path) -> None:
    """Against declarations of ours: its own tree is fetched by west, not by pip."""
    pytest.importorskip("ziglang", reason="compiles the example: pip install -e '.[mcu]'")
    includes = [f"-I{HERE / 'zephyr'}", f"-I{folder / 'src'}"]
    source = EXAMPLES / "zephyr/src/main.c"
    ran(*ZIG, "cc", *CORTEX_M4, "-std=gnu99", *STRICT, *includes, "-c", source, folder=tmp_path)
    assert "src/main.c" in (EXAMPLES / "zephyr/CMakeLists.txt").read_text()
    settings = re.findall(r"^CONFIG_\w+=\w+$", (EXAMPLES / "zephyr/prj.conf").read_text(), re.MULTILINE)
    assert {"CONFIG_ADC=y", "CONFIG_PRINTK=y"} <= set(settings)
    assert (folder / "zephyr/module.yml").is_file()


def test_platformio_finds_the_sketch() -> None:
    settings = configparser.ConfigParser()
    settings.read(EXAMPLES / "platformio/platformio.ini")
    sketches = list((EXAMPLES / "platformio" / settings["platformio"]["src_dir"]).glob("*.ino"))
    assert [path.name for path in sketches] == ["wristlead_ecg.ino"]
    boards = [settings[name]["board"] for name in settings.sections() if name.startswith("env:")]
    assert len(boards) == 2


def service() -> str:
    return (EXAMPLES / "pi/wristlead.service").read_text()


def test_the_service_starts_a_command_that_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    (command,) = re.findall(r"^ExecStart=(.+)$", service(), re.MULTILINE)
    words = words_of(command)
    assert Path(words[0]).name == "wristlead"
    read_by_its_parser(words, monkeypatch)


def test_systemd_accepts_the_service(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze: not installed: `apt install systemd`")
    unit = tmp_path / "wristlead.service"
    unit.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", service(), flags=re.MULTILINE))
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=60)
    assert (done.returncode, [line for line in done.stderr.splitlines() if unit.name in line]) == (0, [])


def test_the_rule_gives_the_name_the_service_waits_for() -> None:
    """Without `udevadm verify`, which systemd 254 brought: a rule is a list of KEY OPERATOR "value"."""
    text = (EXAMPLES / "pi/99-wristlead.rules").read_text()
    rules = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert rules
    for rule in rules:
        assert re.fullmatch(r'([A-Z]+(\{\w+\})?(==|=|\+=)"[^"]+"(, |$))+', rule), rule
        assert 'SYMLINK+="ecg"' in rule
        assert 'TAG+="systemd"' in rule  # else no dev-ecg.device
    assert "BindsTo=dev-ecg.device" in service()
