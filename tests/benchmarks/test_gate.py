"""The gate: what is worse or over fails with its name and numbers, what is better may be written down."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import bundle_cost
from benchmarks.bundle_cost import BundleCost
from benchmarks.gate import figures_of
from benchmarks.mcu.model import Layer, Run
from device_sim.__main__ import main
from device_sim.contract.bundle import Bundle, read_bundle, write_bundle
from device_sim.contract.cascade import write_cascade
from device_sim.contract.manifest import graph_sha256
from device_sim.contract.metrics import Figure, Metrics
from device_sim.contract.operators import Activation, Conv2d
from export import to_c
from tests.benchmarks.nets import bundle_of, judged
from tests.device_sim.bundles import cascade_of
from tests.device_sim.conftest import ROOT
from tests.golden.networks import Sketch

BUDGET = """
format = 1
[limits.cortex-m4]
instructions = 5000
stack_bytes = 800
[accuracy]
"AUC on external-dev" = 0.9
"""


def beat_bundle(n_hidden: int = 6) -> Bundle:
    """A second around a beat, a row of convolutions, one logit."""
    s = Sketch("beat", 3)
    x = s.conv(s.input("shape", 1, 128, 2), 8, (1, 5), stride=(1, 4), activation=Activation.RELU)
    hidden = s.dense(s.reshape(x, 31 * 8), n_hidden, activation=Activation.RELU)
    graph = s.graph(s.dense(hidden, 1))
    figure = Figure(name="AUC", on="external-dev", float_value=0.95, int8_value=0.94)
    return replace(
        judged(bundle_of(graph)), metrics=Metrics(graph_sha256=graph_sha256(graph), figures=(figure,))
    )


def cost(conv: int = 4000, stack: int = 700) -> BundleCost:
    layers = (
        Layer(name="first", kind="conv2d", macs=100, instructions=conv),
        Layer(name="last", kind="dense", macs=10, instructions=200),
    )
    network = Run(
        target="cortex-m4", n_windows=4, n_wrong=0, hash=1, layers=layers, functions={}, stack_bytes=stack
    )
    return BundleCost(target="cortex-m4", networks={"": network}, arena_bytes=64, tools={"ziglang": "1"})


@pytest.fixture
def room(tmp_path: Path) -> Path:
    write_bundle(beat_bundle(), tmp_path / "beat")
    (tmp_path / "budget.toml").write_text(BUDGET)
    return tmp_path


@pytest.fixture
def costs(monkeypatch: pytest.MonkeyPatch) -> Callable[[BundleCost], None]:
    """Puts a cost in the place of the measured one."""

    def put(one: BundleCost) -> None:
        monkeypatch.setattr(bundle_cost, "measure", lambda bundle, target, compiler: one)

    put(cost())
    return put


def gate(room: Path, *more: str) -> int:
    return main(["gate", str(room / "beat"), "--budget", str(room / "budget.toml"), *more])


def test_what_is_as_before_passes(room: Path, costs: Callable[..., None]) -> None:
    baseline = ["--baseline", str(room / "base.json")]
    assert gate(room, *baseline, "--update") == 0
    assert gate(room, *baseline) == 0


def test_a_slower_layer_fails_with_kernel_layer_and_both_numbers(
    room: Path, costs: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    baseline = ["--baseline", str(room / "base.json")]
    gate(room, *baseline, "--update")
    costs(cost(conv=4001))
    assert gate(room, *baseline) == 1
    said = capsys.readouterr().out
    assert "cortex-m4/layer 00 first (kernel conv2d, layer first): 4,001 instructions, baseline 4,000" in said


def test_over_the_budget_fails_without_a_baseline(
    room: Path, costs: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    costs(cost(stack=801))
    assert gate(room) == 1
    assert "FAILED cortex-m4/stack_bytes: 801 bytes, allowed 800 bytes" in capsys.readouterr().out


def test_the_baseline_goes_down_by_itself_and_up_with_a_reason(
    room: Path, costs: Callable[..., None]
) -> None:
    path = room / "base.json"
    update = ["--baseline", str(path), "--update"]
    gate(room, *update)
    costs(cost(conv=3000))
    assert gate(room, *update) == 0
    assert json.loads(path.read_text())["metrics"]["cortex-m4/instructions"] == 3200
    costs(cost(conv=3500))
    before = path.read_bytes()
    assert gate(room, *update) == 1
    assert path.read_bytes() == before
    assert gate(room, *update, "--allow-worse", "a wider kernel") == 0
    written = json.loads(path.read_text())
    assert written["metrics"]["cortex-m4/instructions"] == 3700
    assert [step["reason"] for step in written["allowed"]] == ["a wider kernel"]
    assert "cortex-m4/instructions: 3200 -> 3700" in written["allowed"][0]["metrics"]


def test_a_tolerance_lets_a_metric_drift_but_not_creep(room: Path, costs: Callable[..., None]) -> None:
    budget = room / "budget.toml"
    budget.write_text(BUDGET + "[tolerance_percent]\ninstructions = 1\nlayers = 2\n")
    path = room / "base.json"
    gate(room, "--baseline", str(path), "--update")
    costs(cost(conv=4042))  # 1 % of 4,200
    assert gate(room, "--baseline", str(path), "--update") == 0
    assert json.loads(path.read_text())["metrics"]["cortex-m4/instructions"] == 4200
    costs(cost(conv=4043))
    assert gate(room, "--baseline", str(path)) == 1


def test_accuracy_is_read_from_the_card_and_said_so(
    room: Path, costs: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    assert gate(room) == 0
    assert "not re-measured" in capsys.readouterr().out
    budget = room / "budget.toml"
    budget.write_text(BUDGET.replace("0.9", "0.945"))
    assert gate(room) == 1
    assert "accuracy/AUC on external-dev (not re-measured): 0.94" in capsys.readouterr().out


def test_measured_figures_count_only_for_their_graph(
    room: Path, costs: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    figures = [{"name": "AUC", "on": "external-dev", "float": 0.9, "int8": 0.89}]
    path = room / "now.json"
    path.write_text(json.dumps({"graph_sha256": graph_sha256(beat_bundle().graph), "figures": figures}))
    assert gate(room, "--measured", str(path)) == 1
    said = capsys.readouterr().out
    assert "accuracy/AUC on external-dev (re-measured): 0.89" in said
    assert "not re-measured" not in said
    path.write_text(json.dumps({"graph_sha256": graph_sha256(beat_bundle().graph), "figures": []}))
    assert gate(room, "--measured", str(path)) == 0
    assert (
        "not re-measured, read from figures of this graph's hash: AUC on external-dev"
        in capsys.readouterr().out
    )
    path.write_text(json.dumps({"graph_sha256": "0" * 64, "figures": figures}))
    assert gate(room, "--measured", str(path)) == 2


def test_the_reports_say_the_same(
    room: Path,
    costs: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(room / "summary.md"))
    costs(cost(stack=801))
    files = [room / name for name in ("a.json", "s.json", "j.xml")]
    options = [
        part
        for pair in zip(("--json", "--smaller", "--junit"), map(str, files), strict=True)
        for part in pair
    ]
    assert gate(room, *options) == 1
    assert "::error file=" in capsys.readouterr().out
    assert "| cortex-m4/stack_bytes | 801 | - | 800 |" in (room / "summary.md").read_text()
    whole, smaller = (json.loads(file.read_text()) for file in files[:2])
    assert whole["passed"] is False
    assert {"name": "cortex-m4/stack_bytes", "unit": "bytes", "value": 801} in smaller
    suite = ElementTree.parse(files[2]).getroot()
    assert suite.get("failures") == "1"
    assert int(suite.get("tests", "0")) == len(whole["metrics"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--update"], "--update writes the file of --baseline"),
        (["--baseline", "b.json", "--allow-worse", "x"], "--allow-worse belongs to --update"),
        (["--baseline", "nowhere.json"], "nowhere.json: expected a baseline, found none"),
        (["--json", "/nowhere/x.json"], "/nowhere/x.json: expected a file in a folder that exists"),
    ],
)
def test_a_request_without_sense_is_one_line(
    options: list[str], said: str, room: Path, costs: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    assert gate(room, *options) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("format = 2\n", "format: expected a whole number 1..1"),
        ("format = 1\n[limits]\n", "limits: expected a core"),
        ("format = 1\n[limits.cortex-m55]\n", "expected a core that can be counted"),
        ("format = 1\n[limits.cortex-m4]\nflash = 1\n", "expected one of instructions"),
        ("format = 1\n[limits.cortex-m4]\nram_bytes = 1\n", "this bundle has no such number"),
        ("format = 1\n[limits.cortex-m4]\n[accuracy]\nAUC = 1\n", "'AUC': expected a figure of the bundle"),
        ("not toml", "expected TOML"),
    ],
)
def test_a_budget_with_a_fault_is_one_line(
    text: str, said: str, room: Path, costs: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    (room / "budget.toml").write_text(text)
    assert gate(room) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.startswith(f"{room / 'budget.toml'}: ")


def test_counts_of_other_tools_are_not_compared(
    room: Path, costs: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    baseline = ["--baseline", str(room / "base.json")]
    gate(room, *baseline, "--update")
    costs(replace(cost(), tools={"ziglang": "2"}))
    assert gate(room, *baseline) == 2
    assert f"{room / 'base.json'}: made with ziglang 1, here is 2" in capsys.readouterr().err


def test_the_baseline_of_another_bundle_is_named(
    room: Path, costs: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    path = room / "base.json"
    gate(room, "--baseline", str(path), "--update")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"bundle": "another"}))
    capsys.readouterr()
    assert gate(room, "--baseline", str(path)) == 2
    assert capsys.readouterr().err.startswith(f"{path}: bundle: expected 'beat', got 'another'")


def kept(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> tuple[list[str], dict[str, int]]:
    """The options of a gate that holds today's numbers, and these."""
    (tmp_path / "budget.toml").write_text("format = 1\n[limits.cortex-m4]\n")
    base = tmp_path / "base.json"
    options = ["--budget", str(tmp_path / "budget.toml"), "--baseline", str(base)]
    assert main(["gate", str(folder), *options, "--update"]) == 0
    assert main(["gate", str(folder), *options]) == 0
    capsys.readouterr()
    return options, json.loads(base.read_text())["metrics"]


IDLE = 29  # instructions a position: a hundredth of what net_encoder_3 takes for one


def test_a_kernel_that_is_one_percent_slower_fails_by_its_name(
    mcu_extra: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The real thing: sources, compiler, emulated core; idle instructions for each position of a map."""
    folder = ROOT / "models/beat-tiny"
    options, before = kept(folder, tmp_path, capsys)
    slow = tmp_path / "firmware"
    shutil.copytree(to_c.FIRMWARE, slow)
    conv, line = slow / "src/conv.c", "        lay_out(x, n, op->x_zero, columns + 2 * (i & 1));\n"
    assert conv.read_text().count(line) == 1
    idle = f'        __asm volatile(".rept {IDLE}\\n nop\\n .endr");\n'
    conv.write_text(conv.read_text().replace(line, idle + line))
    monkeypatch.setattr(to_c, "FIRMWARE", slow)
    assert main(["gate", str(folder), *options]) == 1
    failed = set(re.findall(r"^FAILED (.+)$", capsys.readouterr().out, re.MULTILINE))
    graph = read_bundle(folder).graph
    added = 0
    for k, one in enumerate(graph.operators):
        name = f"cortex-m4/layer {k:02d} {one.name}"
        if isinstance(one, Conv2d):
            _, height, width, _ = graph.tensor(one.output).shape
            added += IDLE * height * width
            was, now = before[name], before[name] + IDLE * height * width
            assert (
                f"{name} (kernel conv2d, layer {one.name}): {now:,} instructions, "
                f"baseline {was:,} instructions (+{100 * (now / was - 1):.2f} %)"
            ) in failed
    was = before["cortex-m4/instructions"]
    assert any(f"(a window): {was + added:,} instructions, baseline {was:,} " in line for line in failed)
    assert any("layer net_encoder_3" in line and "(+0.99 %)" in line for line in failed)
    assert not any("kernel dense" in line for line in failed)


def seen_through(n_taps: int) -> Bundle:
    """A row of one channel seen through so many weights; everything else stays."""
    s = Sketch("row", 5)
    x = s.conv(s.input("shape", 1, 128, 2), 1, (1, 5), stride=(1, 4), activation=Activation.RELU)
    left = (n_taps - 1) // 2
    x = s.conv(x, 1, (1, n_taps), pads=(0, left, 0, n_taps - 1 - left))
    return judged(bundle_of(s.graph(s.dense(s.reshape(x, 31), 1))))


def test_an_added_weight_fails_the_flash(
    mcu_extra: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, more = seen_through(7), seen_through(8)  # flash is programmed in words: the next three are free
    weights = [sum(tensor.n_bytes for tensor in of.graph.constants) for of in (one, more)]
    assert weights[1] == weights[0] + 1
    for name, bundle in (("one", one), ("more", replace(more, name=one.name))):
        write_bundle(bundle, tmp_path / name)
    options, before = kept(tmp_path / "one", tmp_path, capsys)
    assert main(["gate", str(tmp_path / "more"), *options]) == 1
    said = capsys.readouterr().out
    found = re.search(r"FAILED cortex-m4/flash_bytes: ([\d,]+) bytes, baseline ([\d,]+) bytes", said)
    assert found
    now, was = (int(number.replace(",", "")) for number in found.groups())
    assert was == before["cortex-m4/flash_bytes"]
    assert now == was + 4


def test_a_cascade_is_held_network_by_network_and_as_a_whole(
    mcu_extra: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_cascade(cascade_of(), tmp_path / "cascade")
    (tmp_path / "budget.toml").write_text(
        'format = 1\n[limits.cortex-m4]\n"beat/instructions" = 1\nflash_bytes = 99_999\n'
        '[tolerance_percent]\n"beat/instructions" = 1\n'
    )
    assert main(["gate", str(tmp_path / "cascade"), "--budget", str(tmp_path / "budget.toml")]) == 1
    said = capsys.readouterr().out
    (failed,) = (line for line in said.splitlines() if line.startswith("FAILED"))
    assert failed.startswith("FAILED cortex-m4/beat/instructions (a window): ")
    for metric in ("quality/instructions", "beat/instructions", "ram_bytes", "device_instructions"):
        assert f"  cortex-m4/{metric} " in said


def test_figures_of_a_cascade_are_those_of_its_networks() -> None:
    application = cascade_of()
    figure = Figure(name="AUC", on="external-dev", float_value=0.9, int8_value=0.89)
    now = Metrics(graph_sha256=graph_sha256(application.beat.graph), figures=(figure,))
    figures, fresh = figures_of(application, [now])
    assert figures["beat/AUC on external-dev"] == 0.89
    assert fresh == {"beat/AUC on external-dev"}
