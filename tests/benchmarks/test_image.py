"""Images: the same bytes each time, every symbol found, and one line where something is missing."""

import importlib.util
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from benchmarks import frontend
from benchmarks.mcu import image
from benchmarks.mcu.image import Image, Symbol
from device_sim.__main__ import main
from device_sim.contract.errors import ContractError


def without(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """As if a package had been removed."""
    find = importlib.util.find_spec

    def blind(name: str, within: str | None = None) -> ModuleSpec | None:
        return None if name == package else find(name, within)

    monkeypatch.setattr(importlib.util, "find_spec", blind)


def test_two_builds_are_the_same_bytes(image_256: Image, tmp_path: Path) -> None:
    again = frontend.build(tmp_path, 256)
    assert again.segments == image_256.segments
    assert again.symbols == image_256.symbols


def test_a_build_for_256_hz_carries_no_resampler_table(image_256: Image, image_all: Image) -> None:
    assert not [name for name in image_256.symbols if name.endswith("_q15") and "resample" in name]
    assert (
        len([name for name in image_all.symbols if name.startswith("wl_resample_") and "_q15" in name]) == 10
    )
    assert image_256.symbols["fe"].n_bytes < image_all.symbols["fe"].n_bytes


def test_a_place_with_two_names_counts_once() -> None:
    twice = {
        name: Symbol(name=name, address=64, n_bytes=10, is_code=True)
        for name in ("memmove", "__aeabi_memmove")
    }
    one = Image(path=Path("x.elf"), segments=((0, b"ab"), (0x20000000, b"abc")), symbols=twice)
    assert one.n_bytes({"memmove", "__aeabi_memmove"}) == 10
    assert one.flash_bytes == 2


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("accept.constprop.0", "accept"),
        ("accept#2", "accept"),
        ("compiler_rt.memmove.memmoveFast", "compiler_rt.memmove.memmoveFast"),
    ],
)
def test_a_clone_goes_by_the_name_in_the_source(name: str, said: str) -> None:
    assert image.plain(name) == said


def test_what_does_not_compile_is_one_line(mcu_extra: None, tmp_path: Path) -> None:
    source = tmp_path / "wrong.c"
    source.write_text("int main(void) { return nothing; }\n")
    with pytest.raises(ContractError, match=r"wrong\.elf: does not build: .*error.*nothing") as caught:
        image.build([*image.port_sources("frontend_main.c")[:1], source], tmp_path / "wrong.elf")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("package", ["ziglang", "unicorn", "elftools"])
def test_a_missing_package_is_one_line_and_exit_2(
    package: str, mcu_extra: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without(monkeypatch, package)
    assert main(["bench", "frontend", "--mcu"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert f"{package}: not installed" in said.err
    assert "pip install -c constraints.txt -e '.[mcu]'" in said.err
