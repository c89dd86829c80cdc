"""The page: what it holds, how large it gets, and what it does with words of somebody else's."""

import base64
import json
import re
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from device_sim import report_recording
from device_sim.__main__ import main
from device_sim.contract.bundle import write_bundle
from device_sim.contract.cascade import write_application
from device_sim.contract.inputs import InputKind
from device_sim.contract.labels import Labels
from device_sim.frontend import ROWS
from device_sim.picture import Lane, Said
from device_sim.play import Keep, play
from device_sim.replay import Report, Stride, by_the_second
from device_sim.report_page import Heard, page_of
from device_sim.report_recording import GAP_UV, packed, recording_of
from device_sim.report_still import runs
from device_sim.sources import Samples
from device_sim.synthetic import Fault, Scene, SyntheticSource
from device_sim.trace import Trace
from tests.device_sim.bundles import WINDOWS, bundle_of, cascade_of
from tests.device_sim.conftest import Command
from tests.device_sim.test_markup import Seen

PAGE_CSS = Path(__file__).resolve().parents[2] / "device_sim" / "page" / "page.css"
SMALLER = 8
MAX_SAMPLES, MAX_COLUMNS, MAX_SAID = (
    n // SMALLER
    for n in (report_recording.MAX_SAMPLES, report_recording.MAX_COLUMNS, report_recording.MAX_SAID)
)
SOURCE = SyntheticSource(Scene(seconds=1))


def unpacked(text: str, dtype: str) -> NDArray[Any]:
    """By the format's definition: the running sum of the differences, in the type's own width."""
    steps = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.dtype(dtype).newbyteorder("<"))
    with np.errstate(over="ignore"):
        return np.cumsum(steps, dtype=dtype)


def trace_of(x_uv: NDArray[np.int32], codes: NDArray[np.int8], flags: NDArray[np.uint8]) -> Trace:
    trace = Trace(SOURCE, delay_us=0, keep_samples=True)
    trace.add_chunk(Samples(first_index=0, counts_i32=x_uv))
    beats = np.zeros(8 * flags.size, np.int16)
    trace.add_stride(Stride(t_us=0, first_index=0, codes_ts_i8=codes, flags_u8=flags, beat_uv_i16=beats))
    return trace


def lane_of(words: list[str], *, are_beats: bool = False) -> Lane:
    said = tuple(Said(start_s=k, word=word, score=0.5) for k, word in enumerate(words))
    return Lane(
        name="n", words=("good", "bad", "ugly"), wanted="good", seconds=1, said=said, are_beats=are_beats
    )


def kept(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="recording-data">(.+?)</script>', page)
    assert found is not None
    return dict(json.loads(found[1]))


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "i4"])
def test_what_is_packed_comes_back_though_differences_overflow(dtype: str) -> None:
    limits = np.iinfo(dtype)
    values = np.random.default_rng(1).integers(limits.min, limits.max, 1000, np.int64).astype(dtype)
    np.testing.assert_array_equal(unpacked(packed(values), dtype), values)
    assert unpacked(packed(values[:0]), dtype).size == 0


@pytest.fixture
def smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds that are reached sooner."""
    for name in ("MAX_SAMPLES", "MAX_COLUMNS", "MAX_SAID"):
        monkeypatch.setattr(report_recording, name, getattr(report_recording, name) // SMALLER)


@pytest.mark.usefixtures("smaller")
def test_a_long_recording_keeps_every_extreme_and_every_flag_within_its_bounds() -> None:
    n_columns = 3 * MAX_COLUMNS
    x_uv = np.zeros(16 * n_columns, np.int32)
    x_uv[100_001], x_uv[200_003] = 700, -900
    codes = np.full((n_columns, ROWS), -100, np.int8)
    flags = np.zeros(n_columns, np.uint8)
    codes[7777, 5], flags[9999] = 50, 0b100
    words = ["good"] * 3 * MAX_SAID
    words[1234] = "bad"
    found = recording_of(trace_of(x_uv, codes, flags), [lane_of(words, are_beats=True)])
    assert found.x_uv.size <= MAX_SAMPLES
    assert {int(found.x_uv.max()), int(found.x_uv.min())} == {700, -900}
    assert np.argmax(found.x_uv) / found.rate_hz == pytest.approx(100_001 / 256, abs=found.pool / 256)
    assert len(found.codes_ts_i8) <= MAX_COLUMNS
    assert found.codes_ts_i8.max() == 50
    assert np.flatnonzero(found.flags_u8).tolist() == [9999 // 3]
    said = found.lanes[0].said
    assert len(said) <= MAX_SAID
    assert [one.start_s for one in said if one.word == "bad"] == [1234]


@pytest.mark.usefixtures("smaller")
def test_a_gap_stays_a_gap_however_long_the_recording() -> None:
    trace = trace_of(np.zeros(16, np.int32), np.zeros((1, ROWS), np.int8), np.zeros(1, np.uint8))
    trace._x_uv = [np.full(3 * MAX_SAMPLES, 5, np.float32)]
    trace._x_uv[0][MAX_SAMPLES : 2 * MAX_SAMPLES] = np.nan
    found = recording_of(trace, [])
    share = np.mean(found.x_uv == GAP_UV)
    assert share == pytest.approx(1 / 3, abs=0.001)


@pytest.mark.usefixtures("smaller")
def test_no_recording_makes_a_page_that_is_larger_than_it_may_be() -> None:
    random = np.random.default_rng(1)
    n_columns = MAX_COLUMNS + 1
    x_uv = random.integers(-30_000, 30_000, 40 * n_columns, dtype=np.int32)  # nothing can be compressed
    codes = random.integers(-128, 127, (n_columns, ROWS), dtype=np.int8)
    trace = trace_of(x_uv, codes, random.integers(0, 63, n_columns, dtype=np.uint8))
    words = random.choice(["good", "bad", "ugly"], MAX_SAID + 1).tolist()
    recording = recording_of(trace, [lane_of(words), lane_of(words, are_beats=True)])
    report = Report(
        name="n", lead="I", rate_hz=256, n_samples=1, n_gaps=0, n_gap_samples=0, n_estimated_gaps=0,
        n_columns=1, n_beat_samples=1, flag_shares={}, band_dbuv={}, elapsed_s=1,
    )  # fmt: skip
    heard = Heard(recording=recording, report=report, took_us=np.ones(3), clock="", backend="core")
    still_bytes = 800_000  # as wide as it is, whatever the recording
    assert len(page_of(heard, None)) < 7_200_000 / SMALLER + still_bytes


def test_portions_of_a_second_are_the_same_columns() -> None:
    from device_sim.frontend import columns_of

    whole = columns_of(np.arange(256 * 5 + 100) % 500, rate_hz=256)
    parts = list(by_the_second(whole))
    assert [part.flags_u8.size for part in parts] == [16, 16, 16, 16, 16, 7]
    assert [part.first_index for part in parts] == [0, 16, 32, 48, 64, 80]
    np.testing.assert_array_equal(np.concatenate([part.codes_ts_i8 for part in parts]), whole.codes_ts_i8)
    np.testing.assert_array_equal(np.concatenate([part.beat_uv_i16 for part in parts]), whole.beat_uv_i16)


def test_neighbours_that_say_the_same_are_one_stretch_and_beats_stay_alone() -> None:
    words = ["good", "good", "bad", "good"]
    assert runs(lane_of(words)) == [("good", 0, 2), ("bad", 2, 3), ("good", 3, 4)]
    assert len(runs(lane_of(words, are_beats=True))) == 4


@pytest.mark.parametrize("kind", WINDOWS)
def test_a_run_writes_the_page_beside_its_lines(
    kind: InputKind, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = bundle_of(kind)
    write_bundle(bundle, tmp_path / "b")
    out = tmp_path / "r.html"
    command = ["run", str(tmp_path / "b"), "--synthetic", "--seconds", "12"]
    assert main(command) == 0
    plain = capsys.readouterr().out
    assert main([*command, "--report", str(out)]) == 0
    lines, said = capsys.readouterr()
    assert lines == plain
    assert f"wrote {out}" in said
    assert re.search(r"budget: RAM [\d,]+ of 65,536 bytes beside the stack, weights [\d,]+ of 131,072", said)
    page = out.read_text()
    (lane,) = kept(page)["lanes"]
    verdicts = [json.loads(line) for line in lines.splitlines()]
    assert [lane["words"][k] for k in unpacked(lane["word"], "u1")] == [one["label"] for one in verdicts]
    assert [k / 1000 if k >= 0 else None for k in unpacked(lane["score"], "i2")] == [
        None if one["score"] is None else pytest.approx(one["score"], abs=6e-4) for one in verdicts
    ]
    seen = Seen(page)
    titles = [about["id"] for name, about in seen.elements if name == "section"]
    assert titles == ["recording", "latency", "memory", "layers", "integers", "provenance"]
    assert bundle.digest in seen.text
    assert "Not a medical device" in seen.text


def test_a_cascade_has_one_page_with_both_of_its_networks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cascade = cascade_of()
    write_application(cascade, tmp_path / "c")
    out = tmp_path / "r.html"
    assert main(["run", str(tmp_path / "c"), "--synthetic", "--seconds", "20", "--report", str(out)]) == 0
    verdicts = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    page = out.read_text()
    found = [
        (lane["words"][word], ["network", "rule", "gate"][by])
        for lane in kept(page)["lanes"]
        for word, by in zip(unpacked(lane["word"], "u1"), unpacked(lane["by"], "u1"), strict=True)
    ]
    of_net = [[one for one in verdicts if one["net"] == net] for net in ("quality", "beat")]
    assert found == [(one["label"], one["by"]) for of in of_net for one in of]
    assert min(map(len, of_net)) > 5
    seen = Seen(page)
    assert [about["id"] for name, about in seen.elements if name == "section"][:3] == [
        *("recording", "latency", "memory"),
    ]
    assert sum(name == "h3" for name, _ in seen.elements) == 6  # cost, integers, provenance of each
    assert cascade.digest in seen.text
    assert all(bundle.digest in seen.text for bundle in (cascade.quality, cascade.beat))


def test_a_bundle_alone_has_a_page_of_its_own(wristlead: Command, tmp_path: Path) -> None:
    write_bundle(bundle_of(InputKind.BEAT), tmp_path / "b")
    done = wristlead("report", tmp_path / "b", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "wrote test-beat.html\n")
    page = (tmp_path / "test-beat.html").read_text()
    titles = [about["id"] for name, about in Seen(page).elements if name == "section"]
    assert titles == ["memory", "layers", "integers", "provenance"]


def test_a_network_that_judges_nothing_has_a_page_too(tmp_path: Path, wristlead: Command) -> None:
    mute = replace(bundle_of(InputKind.IMAGE), verdict=None, frontend_sha256="")
    write_bundle(mute, tmp_path / "b")
    assert wristlead("report", tmp_path / "b", cwd=tmp_path).returncode == 0
    assert "numbers that nobody has calibrated" in (tmp_path / "test-image.html").read_text()


def test_nothing_on_a_page_comes_from_elsewhere(tmp_path: Path) -> None:
    assert main(["run", "--synthetic", "--seconds", "3", "--report", str(tmp_path / "r.html")]) == 0
    page = (tmp_path / "r.html").read_text()
    places = [
        str(value)
        for _name, about in Seen(page).elements
        for attribute, value in about.items()
        if attribute in ("src", "href", "action", "data", "poster", "srcset")
    ]
    assert places
    assert [place for place in places if not place.startswith(("data:", "#"))] == []
    assert "url(" not in page
    assert "@import" not in page


def test_labels_and_file_names_are_words_and_no_markup(tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>"
    bundle = replace(
        bundle_of(InputKind.IMAGE), labels=Labels(("noisy", evil)), provenance={evil: f"</script>{evil}"}
    )
    write_bundle(bundle, tmp_path / "b")
    record = tmp_path / f"{evil}.csv"
    record.write_text("\n".join(map(str, range(256 * 8))))
    command = ["run", str(tmp_path / "b"), "--file", str(record), "--rate", "256", "--units", "uV"]
    assert main([*command, "--report", str(tmp_path / "r.html")]) == 0
    seen = Seen((tmp_path / "r.html").read_text())
    assert not [name for name, _ in seen.elements if name == "img"]
    assert not [about for _, about in seen.elements for attribute in about if attribute.startswith("on")]
    assert seen.text.count(evil) >= 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["report"], "wristlead report: expected a bundle's folder, got none"),
        (["report", "BUNDLE", "--out", "x.pdf"], "x.pdf: expected a name ending in .html or .htm"),
        (["run", "--synthetic", "--report", "none/x.html"], "none/x.html: expected the folder none to exist"),
        (["report", "BUNDLE", "--cost", "none.json"], "none.json: expected a baseline of `wristlead gate`"),
        (["run", "--synthetic", "--cost", "x.json"], "--cost: means nothing to a run without --report"),
        (["report", "BUNDLE", "--seconds", "3"], "--seconds: means nothing to a page without a source"),
    ],
)
def test_a_request_without_sense_is_one_line(
    arguments: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    write_bundle(bundle_of(InputKind.IMAGE), tmp_path / "b")
    monkeypatch.chdir(tmp_path)
    assert main(["b" if one == "BUNDLE" else one for one in arguments]) == 2
    found = capsys.readouterr().err
    assert said in found
    assert found.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def luminance(colour: str) -> float:
    """As WCAG 2 defines it."""
    channels = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_word_can_be_read_on_what_it_stands_on(theme: str) -> None:
    css = PAGE_CSS.read_text()
    light, dark = css.split("@media (prefers-color-scheme: dark)")[:2]
    colours = dict(
        re.findall(r"(--[a-z0-9-]+): (#[0-9a-f]{6})", light if theme == "light" else dark.split("* {")[0])
    )
    pairs = [(one, on) for one in ("--ink", "--quiet", "--accent") for on in ("--paper", "--card")]
    pairs += [(f"--ink-{k}", on) for k in range(6) for on in (f"--band-{k}", "--card")]
    found = {}
    for one, on in pairs:
        low, high = sorted((luminance(colours[one]), luminance(colours[on])))
        found[f"{one} on {on}"] = (high + 0.05) / (low + 0.05)
    assert {pair: ratio for pair, ratio in found.items() if ratio < 4.5} == {}


@pytest.mark.parametrize(
    "scene",
    [
        Scene(seconds=0.1),
        Scene(seconds=40, rate_hz=1000),
        Scene(seconds=4, faults=(Fault(kind="flat", start_s=0, seconds=4),)),
        Scene(seconds=4, faults=(Fault(kind="gap", start_s=0, seconds=3),)),
        Scene(seconds=4, faults=(Fault(kind="rail", start_s=0, seconds=4),)),
    ],
    ids=["short", "fast", "flat", "gap", "rail"],
)
def test_any_scene_has_a_page(scene: Scene) -> None:
    played = play(
        SyntheticSource(scene), None, seconds=None, keep=Keep(samples=True), write=lambda line: None
    )
    recording = recording_of(played.trace, ())
    heard = Heard(recording=recording, report=played.report, took_us=np.empty(0), clock="", backend="")
    found = kept(page_of(heard, None))
    assert found["seconds"] == pytest.approx(scene.seconds, abs=1 / 16)
    assert found["low_mv"] < found["high_mv"]
    assert unpacked(found["columns"]["flags"], "u1").size == recording.flags_u8.size
