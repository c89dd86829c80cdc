"""The documentation does not lie: its commands are run, or at least read by the parser they are meant for."""

import argparse
import contextlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NoReturn

import pytest

from device_sim.__main__ import ROOMS, main
from tests.doc_commands import (
    DOCUMENTS,
    ROOT,
    Block,
    blocks_of,
    inline_commands,
    missing_lines,
    words_of,
)

# What stands in front of a command that is not ours: known by name, so that a new one is a decision.
FOREIGN = {
    *(
        ".",
        "apt",
        "cd",
        "cp",
        "export",
        "git",
        "kill",
        "ls",
        "mkdir",
        "scp",
        "sed",
        "sleep",
        "ssh",
        "sudo",
        "wait",
    ),
    *("cmake", "pytest", "arduino-cli", "pio", "west", "systemctl", "systemd-analyze", "udevadm"),
    *("build-ecg/ecg", "build-ecg/wl_model/wl_check"),  # what an example builds
}
MARKED = "wristlead-doc-marks-the-end-of-a-command"
# Beside each other in the folder a document's commands run in: read, never written.
TREE = ("models", "budgets", "benchmarks", "examples", "training", "firmware", "docs", "Makefile")


class ReadIt(Exception):
    """A parser took the command."""


def documents_with(run: bool) -> list[Path]:
    return [path for path in DOCUMENTS if any(block.is_run for block in blocks_of(path)) or not run]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def read_by_its_parser(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The real parser of a wristlead command on these words; nothing is done with what it read."""
    read = argparse.ArgumentParser.parse_args

    def stop(parser: argparse.ArgumentParser, *arguments: object, **named: object) -> NoReturn:
        read(parser, *arguments, **named)
        raise ReadIt

    with monkeypatch.context() as patched:
        patched.setattr(argparse.ArgumentParser, "parse_args", stop)
        with pytest.raises(ReadIt):
            main(words[1:])


def check(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What can be said of a command without running it."""
    words = words_of(command)
    program = Path(words[0]).name
    if program == "wristlead":
        if words[1] not in ("--help", "--version"):
            assert words[1] in ROOMS, f"no such command: {words[1]}"
            read_by_its_parser(words, monkeypatch)
    elif program == "make":
        assert subprocess.run([*words, "-n"], cwd=ROOT, capture_output=True).returncode == 0, command
    elif re.fullmatch(r"python(3(\.\d+)?)?", program) and words[1] == "-m":
        assert importlib.util.find_spec(words[2]), f"no such module: {words[2]}"
    elif program == "pip" or words[1:3] == ["-m", "pip"]:
        named = {name for found in re.findall(r"\[([a-z,]+)\]", command) for name in found.split(",")}
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        assert named <= set(project["optional-dependencies"])
    else:
        assert {program, words[0]} & FOREIGN, f"nothing here knows the program {program}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_command_is_one(
    document: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for block in blocks_of(document):
        for shown in block.shown:
            check(shown.command, monkeypatch)
    for command in inline_commands(document):
        if command.startswith("wristlead"):
            check_named(words_of(command), capsys)
        else:
            check(command, monkeypatch)


def check_named(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """In prose a command may lack its arguments; the options it names must be there."""
    options = {word for word in words[2:] if word.startswith("--")}
    if words[1].isupper() or words[1].startswith("--"):
        return
    assert words[1] in ROOMS, f"no such command: {words[1]}"
    if options:
        part = [word for word in words[2:3] if word.isalpha() and word.islower()]
        for arguments in ([words[1], "--help"], [words[1], *part, "--help"]):
            with contextlib.suppress(SystemExit):
                main(arguments)
        assert options <= set(re.findall(r"--[\w-]+", capsys.readouterr().out)), " ".join(words)


@pytest.mark.parametrize("document", documents_with(run=True), ids=name_of)
def test_what_is_shown_is_what_happens(document: Path, tmp_path: Path) -> None:
    """Every `console` block of a page in one shell, first line to last, beside the tree's own folders."""
    blocks = [block for block in blocks_of(document) if block.is_run]
    lacking = [need for block in blocks for need in block.needs if not is_here(need)]
    ready = [block for block in blocks if not set(block.needs) & set(lacking)]
    for name in TREE:
        (tmp_path / name).symlink_to(ROOT / name)
    outcomes = run_blocks(ready, tmp_path, environment(tmp_path))
    faults = [
        fault for block, outcome in zip(ready, outcomes, strict=True) for fault in compare(block, outcome)
    ]
    assert not faults, "\n".join(faults)
    if lacking:
        pytest.skip(f"{name_of(document)}: not run where it needs {', '.join(lacking)}")


def is_here(need: str) -> bool:
    return bool(os.environ.get("WRISTLEAD_DATA")) if need == "data" else shutil.which(need) is not None


def environment(folder: Path) -> dict[str, str]:
    """With a `wristlead` and a `python` that are this checkout's."""
    programs = folder / ".bin"
    programs.mkdir()
    for name, words in (("wristlead", "-m device_sim"), ("python", ""), ("pytest", "-m pytest")):
        script = programs / name
        script.write_text(f'#!/bin/sh\nexec {sys.executable} {words} "$@"\n')
        script.chmod(0o755)
    return {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}


def run_blocks(
    blocks: list[Block], folder: Path, environment: dict[str, str], *, timeout_s: int = 600
) -> list[list[tuple[int, str]]]:
    """Exit code and output of every command of every block."""
    commands = [shown.command for block in blocks for shown in block.shown]
    script = "\n".join(f"{command}\ncode=$?; echo; echo {MARKED} $code" for command in commands)
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout_s,
    )
    parts = re.split(rf"^{MARKED} (\d+)\n", done.stdout, flags=re.MULTILINE)
    assert len(parts) == 2 * len(commands) + 1, done.stdout
    every = iter([(int(code), text) for text, code in zip(parts[0::2], parts[1::2], strict=False)])
    return [[next(every) for _ in block.shown] for block in blocks]


def compare(block: Block, outcome: list[tuple[int, str]]) -> list[str]:
    """What the page says and the run did not, a paragraph for each command."""
    faults = []
    for k, (shown, (code, printed)) in enumerate(zip(block.shown, outcome, strict=True)):
        expected = block.exit_code if k == len(block.shown) - 1 else 0
        if code != expected:
            faults.append(f"{block.where}: {shown.command}: exit {code}, expected {expected}\n{printed}")
        elif shown.lines and (missing := missing_lines(shown.lines, printed)):
            lines = "\n".join(missing)
            faults.append(f"{block.where}: {shown.command}: does not print\n{lines}\nit prints\n{printed}")
    return faults


def test_lines_are_found_in_order_and_none_is_left_out_silently() -> None:
    printed = "one\n\ntwo\nthree\n"
    assert missing_lines(("one", "two", "three"), printed) == []
    assert missing_lines(("one", "...", "three"), printed) == []
    assert missing_lines(("...", "two"), printed) == []
    assert missing_lines(("one", "three"), printed) == ["three"]
    assert missing_lines(("two", "one"), printed) == ["two", "one"]
    assert missing_lines(("four",), printed) == ["four"]


def test_a_quickstart_runs_from_its_first_line_to_its_last() -> None:
    """The four of them and the README show nothing that is only read."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("quickstart-*.md"))]
    assert len(pages) == 5
    for page in pages:
        assert [block.where for block in blocks_of(page) if "console" not in block.words] == []


@pytest.mark.parametrize("name", ["quality-tiny", "beat-tiny", "beat-cardiacnet", "cascade"])
def test_the_budget_table_is_what_the_gate_holds(name: str) -> None:
    counted = json.loads((ROOT / f"budgets/{name}.json").read_text())["metrics"]
    limits = tomllib.loads((ROOT / f"budgets/{name}.toml").read_text())["limits"]["cortex-m4"]
    (row,) = re.findall(rf"^\| `{name}` \| (.+) \|$", (ROOT / "README.md").read_text(), re.MULTILINE)
    window, *rest = row.split(" | ")
    parts = [key for key in sorted(limits, reverse=True) if key.split("/")[-1] == "instructions"]
    assert re.findall(r"[\d,]+", window)[: len(parts)] == [
        f"{counted[f'cortex-m4/{key}']:,}" for key in parts
    ]
    named = ("device_instructions", "flash_bytes", "ram_bytes")
    assert rest == [f"{counted[f'cortex-m4/{key}']:,} of {limits[key]:,}" for key in named]


@pytest.mark.parametrize(
    "command",
    [
        "wristlead fly",
        "wristlead run --sideways",
        "wristlead gate models/NAME",
        "python -m tests.no_such_page",
        "make nothing-of-this-name",
        "pip install -e '.[everything]'",
        "brew install wristlead",
    ],
)
def test_a_command_that_does_not_exist_is_noticed(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        check(command, monkeypatch)
