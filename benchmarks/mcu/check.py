"""Every vector of a bundle on every core: the bytes, unaligned accesses, and a second emulator's word."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.mcu import model, qemu
from benchmarks.mcu.emulator import Emulator
from benchmarks.mcu.image import ZIG, Image
from benchmarks.mcu.targets import COUNTED, M55, Target
from benchmarks.sheet import number
from device_sim.contract.bundle import Bundle
from device_sim.contract.graph import Graph


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One check on one core; passed None: skipped, and why."""

    core: str
    check: str
    passed: bool | None
    about: str


def check(bundle: Bundle, *, compiler: str = ZIG) -> list[Result]:
    """A tool that is absent is named and its check skipped, never passed."""
    windows = model.windows_of(bundle)
    expected = model.hash_here(bundle.graph, windows)
    results = []
    with tempfile.TemporaryDirectory() as name:
        for core in (*COUNTED, M55):
            built = model.build(bundle, Path(name), core, compiler=compiler, windows=windows)
            counted = None
            if core.unicorn_cpu is not None:
                emulator = Emulator(built)
                said = model.run(built, bundle.graph, emulator)
                counted = sum(emulator.counts.values())
                about = (
                    f"{said.n_windows} windows, {said.n_wrong} bytes differ, {number(counted)} instructions"
                )
                passed = said.n_wrong == 0 and said.hash == expected
                results.append(Result(core=core.name, check="bytes", passed=passed, about=about))
                results.append(_alignment(built, bundle.graph, emulator))
            results.append(_witness(core, built, windows.n, expected, counted))
    return results


def _alignment(built: Image, graph: Graph, ran: Emulator) -> Result:
    """A second run, with an eye on what ran in the first and takes no odd address."""
    emulator, places = Emulator(built), ran.strict_places()
    watched = emulator.watch(places)
    model.run(built, graph, emulator)
    refused = [places[address] for address, strict in watched.items() if strict.n_unaligned]
    n = sum(int(strict.n) for strict in watched.values())
    about = f"{number(n)} accesses that must be aligned; not so: {', '.join(refused) or 'none'}"
    return Result(core=built.target.name, check="alignment", passed=not refused, about=about)


def _witness(core: Target, built: Image, n_windows: int, expected: int, counted: int | None) -> Result:
    if not qemu.is_installed():
        return Result(core=core.name, check="QEMU", passed=None, about=f"{qemu.SYSTEM}: {qemu.INSTALL}")
    said = qemu.run(built)
    status, found_windows, n_wrong, fnv = said.words[:4]
    same = (status, found_windows, n_wrong, fnv) == (0, n_windows, 0, expected)
    equal = counted is None or counted == said.instructions
    about = f"{found_windows} windows, {n_wrong} bytes differ, {number(said.instructions)} instructions"
    if not equal:
        about += f", Unicorn counts {number(counted or 0)}"
    return Result(core=core.name, check="QEMU", passed=same and equal, about=about)


def text(results: list[Result]) -> str:
    words = {True: "passed", False: "FAILED", None: "skipped"}
    rows = [(one.core, one.check, words[one.passed], one.about) for one in results]
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    return "\n".join(
        "  ".join([*(c.ljust(w) for c, w in zip(row, widths, strict=False)), row[3]]) for row in rows
    )
