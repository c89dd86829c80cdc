"""The house is as STYLE says: who imports whom, what the rooms hold, what a device pays for."""

import ast
import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("device_sim", "training", "export", "benchmarks", "firmware", "tests", "models")
TOP_LEVEL = {
    *ROOMS,
    *("docs", "examples", "budgets"),
    *("pyproject.toml", "setup.py", "constraints.txt", "Makefile", "README.md", "LICENSE"),
}
# What a room may import of the other rooms; its own modules always.
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "firmware": (),
    "device_sim": (),
    "training": (
        *("device_sim.contract", "device_sim.frontend", "device_sim.beats", "device_sim.rpeaks"),
        *("device_sim.feed", "device_sim.executor"),
    ),
    "export": ("device_sim", "training.nets", "training.data", "training.evaluate", "training.fakequant"),
    "benchmarks": ("device_sim", "export.to_c"),
}
# Opened by device_sim only inside the function that needs them: the base installs without most of these.
DEVICE_LAZY = {
    *("serial", "rich", "matplotlib", "wfdb", "pyedflib"),
    *("tflite_runtime", "tflite_micro", "ai_edge_litert", "onnxruntime", "aiohttp", "cryptography"),
}
NEVER_LOADED_BY_A_RUN = {"torch", "tensorflow", "onnx", "wfdb", "training", "export", "benchmarks"}
NOUNLESS = {"utils", "util", "common", "helpers", "helper", "misc", "core"}
MAX_LINES = 400  # past it, two nouns are living together
C_HEADERS = {"stdint.h", "stddef.h", "string.h"}
INSTRUCTIONS = {"conv_avx2.c": {"immintrin.h"}}  # a compiler's own names of them; no device compiles it
C_FORBIDDEN = re.compile(r"\b(malloc|calloc|realloc|free|alloca|float|double|\w*printf|setjmp|longjmp)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One name a module imports, and whether merely importing the module imports it too."""

    name: str
    line: int
    at_import: bool

    @property
    def top(self) -> str:
        return self.name.split(".")[0]

    def within(self, prefixes: tuple[str, ...]) -> bool:
        return any(self.name == prefix or self.name.startswith(prefix + ".") for prefix in prefixes)


def imports_of(source: str, module: str) -> Iterator[Import]:
    """Every import of one module; `from a import b` counts as a.b, a relative one as its full name."""

    def visit(node: ast.AST, at_import: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                for alias in child.names:
                    yield Import(name=alias.name, line=child.lineno, at_import=at_import)
            elif isinstance(child, ast.ImportFrom):
                parents = module.split(".")[: -child.level] if child.level else []
                base = ".".join([*parents, *([child.module] if child.module else [])])
                for alias in child.names:
                    yield Import(name=f"{base}.{alias.name}", line=child.lineno, at_import=at_import)
            yield from visit(child, at_import and not waits(child))

    return visit(ast.parse(source), True)


def waits(node: ast.AST) -> bool:
    """True for what does not run when the module is imported."""
    if isinstance(node, ast.If):
        return ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)


def import_faults(source: str, module: str) -> list[str]:
    """What the import table forbids in one module, a line each."""
    room = module.split(".")[0]
    faults = []
    for one in imports_of(source, module):
        where = f"{module}:{one.line}: imports {one.name}"
        if one.top in ROOMS and one.top != room and not one.within(MAY_IMPORT[room]):
            faults.append(f"{where}: {room} may import {', '.join(MAY_IMPORT[room]) or 'no other room'}")
        elif room == "device_sim" and one.top not in {*ROOMS, *sys.stdlib_module_names, "numpy"}:
            if one.top not in DEVICE_LAZY:
                faults.append(f"{where}: device_sim stands on the standard library and numpy")
            elif one.at_import:
                faults.append(f"{where}: only inside the function that needs it")
        elif module == "export.to_c" and one.top in {"torch", "onnx"}:
            faults.append(f"{where}: C is written from a bundle, without torch or onnx")
    return faults


def python_files(*rooms: str) -> list[Path]:
    """The Python files of some rooms."""
    return sorted(path for room in rooms for path in (ROOT / room).rglob("*.py"))


def module_name(path: Path) -> str:
    """device_sim/contract/errors.py -> device_sim.contract.errors; a package keeps its __init__."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def c_files() -> list[Path]:
    """The sources and headers that end up on a device."""
    return sorted(path for room in ("src", "include") for path in (ROOT / "firmware" / room).rglob("*.[ch]"))


def without_comments(source: str) -> str:
    """C source with comments and string literals blanked."""
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', " ", source, flags=re.DOTALL)


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_what_the_table_allows(room: str) -> None:
    files = python_files(room)
    assert files or room == "firmware", f"{room}: expected Python files, found none"
    faults = [fault for path in files for fault in import_faults(path.read_text(), module_name(path))]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("device_sim.replay", "import torch"),
        ("device_sim.replay", "def f():\n    import torch"),
        ("device_sim.replay", "import serial"),
        ("device_sim.replay", "from training import nets"),
        ("device_sim.replay", "def f():\n    from benchmarks.gate import hold"),
        ("training.fit", "from device_sim import replay"),
        ("training.fit", "import export"),
        ("export.parity", "from training.fit import fit"),
        ("export.to_c", "def f():\n    import onnx"),
        ("benchmarks.gate", "from export import quantize"),
        ("benchmarks.gate", "import training.nets"),
        ("firmware.tables.morlet", "import device_sim"),
    ],
)
def test_a_forbidden_import_is_found(module: str, source: str) -> None:
    assert len(import_faults(source, module)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        (
            "device_sim.replay",
            "import json, numpy\nfrom .contract import errors\nfrom device_sim import binding",
        ),
        ("device_sim.sources", "def f():\n    import serial"),
        ("device_sim.sources", "if TYPE_CHECKING:\n    import serial"),
        ("training.fit", "import torch\nfrom device_sim.contract.errors import WristleadError"),
        ("training.fit", "from device_sim.frontend import FrontEnd"),
        ("export.parity", "from training.nets import light\nimport device_sim.twin"),
        ("benchmarks.gate", "from export import to_c"),
    ],
)
def test_an_allowed_import_passes(module: str, source: str) -> None:
    assert import_faults(source, module) == []


def test_only_the_door_imports_by_name() -> None:
    for path in python_files("device_sim"):
        if path.name != "__main__.py":
            assert not re.search(r"\b(import_module|__import__)\(", path.read_text()), path


def test_the_top_level_holds_nothing_but_the_house() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: what is committed is not known here")
    command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    top = {name.split("/")[0] for name in listed.split("\0") if name}
    assert {name for name in top if not name.startswith(".")} - TOP_LEVEL == set()


def modules_loaded_by(arguments: list[str], folder: Path) -> set[str]:
    """What a fresh process holds after `wristlead ARGUMENTS`, or after the bare import without any."""
    listing = folder / "modules.json"
    program = (
        "import json, runpy, sys\n"
        "listing, sys.argv[1:] = sys.argv[1], sys.argv[2:]\n"
        "import device_sim\n"
        "try:\n"
        "    sys.argv[1:] and runpy.run_module('device_sim', run_name='__main__', alter_sys=True)\n"
        "except SystemExit as stop:\n"
        "    assert not stop.code, stop.code\n"
        "with open(listing, 'w') as file:\n"
        "    json.dump(sorted(sys.modules), file)\n"
    )
    command = [sys.executable, "-c", program, str(listing), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return set(json.loads(listing.read_text()))


@pytest.mark.parametrize(
    "arguments",
    [
        *([], ["--help"], ["run", "--help"]),
        ["run", "--synthetic", "--seconds", "6"],
        ["run", "models/quality-tiny", "--synthetic", "--seconds", "6"],
    ],
    ids=["import", "help", "run_help", "run_synthetic", "run_bundle"],
)
def test_a_device_pays_for_no_training_package(arguments: list[str], tmp_path: Path) -> None:
    loaded = {name.split(".")[0] for name in modules_loaded_by(arguments, tmp_path)}
    assert "device_sim" in loaded
    assert loaded & NEVER_LOADED_BY_A_RUN == set()


def test_every_module_says_in_one_docstring_what_it_is() -> None:
    rooms = ("device_sim", "training", "export", "benchmarks", "firmware", "tests", "examples")
    files = [*python_files(*rooms), ROOT / "setup.py"]
    mute = [
        path
        for path in files
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert mute == []


def test_no_module_is_named_after_nothing() -> None:
    rooms = ("device_sim", "training", "export", "benchmarks", "firmware", "tests")
    assert [path for path in python_files(*rooms) if path.stem in NOUNLESS] == []


def test_no_module_holds_two_nouns() -> None:
    rooms = ("device_sim", "training", "export", "benchmarks")
    lengths = {path: len(path.read_text().splitlines()) for path in python_files(*rooms)}
    assert {path: length for path, length in lengths.items() if length > MAX_LINES} == {}


def test_the_core_includes_three_headers_and_its_own() -> None:
    files = c_files()
    assert files, "firmware/src: expected the C sources of the core, found none"
    own = {path.name for path in files}
    for path in files:
        for name in re.findall(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', path.read_text(), re.MULTILINE):
            known = C_HEADERS | own | INSTRUCTIONS.get(path.name, set())
            assert Path(name).name in known, f"{path.name}: includes {name}"


def test_the_core_allocates_nothing_and_knows_no_floats() -> None:
    for path in c_files():
        found = C_FORBIDDEN.search(without_comments(path.read_text()))
        assert found is None, f"{path.name}: {found and found.group()}"


def test_a_comment_about_floats_is_no_float() -> None:
    assert not C_FORBIDDEN.search(
        without_comments('/* no float */ int x; // free\nconst char *s = "double";')
    )
    assert C_FORBIDDEN.search(without_comments("int a; /* fine */ float b;"))


def test_the_core_has_no_array_of_variable_length() -> None:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler on this machine: `apt install gcc libc6-dev`")
    sources = [str(path) for path in c_files() if path.suffix == ".c"]
    assert sources
    command = [
        compiler,
        "-std=c99",
        "-fsyntax-only",
        "-Werror=vla",
        f"-I{ROOT / 'firmware/include'}",
        *sources,
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_readme_shows_what_the_demo_prints(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text()
    shown = readme.split("$ make demo\n...\n")[1].split("$ make test")[0].splitlines()
    recipe = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    demo = r"^\t\$\(DEMO_VENV\)/bin/wristlead (.+?)--picture (demo.png) --report (demo.html)$"
    ((arguments, picture, page),) = re.findall(demo, recipe, re.MULTILINE)
    command = [sys.executable, "-m", "device_sim", *arguments.split()]
    command += ["--picture", str(tmp_path / picture), "--report", str(tmp_path / page)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    printed = (done.stdout + done.stderr).replace(f"{tmp_path}/", "").splitlines()
    assert len(shown) > 5
    assert [line for line in shown if line not in printed] == []


def test_the_wheel_gives_site_packages_one_name() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert {name.split(".")[0] for name in project["tool"]["setuptools"]["packages"]} == {"device_sim"}
    packages = {str(path.parent.relative_to(ROOT)).replace("/", ".") for path in python_files("device_sim")}
    assert packages == set(project["tool"]["setuptools"]["packages"])


def test_a_pinned_tool_has_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    constraints = set(re.findall(r"^(\S+==[^\s;]+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    pinned = {line.split(";")[0].strip() for line in extras if "==" in line.split(";")[0]}
    pinned |= set(re.findall(r'^ZIGLANG = "(.+)"', (ROOT / "setup.py").read_text(), re.MULTILINE))
    assert "torch==2.13.0" in pinned
    assert pinned <= constraints
