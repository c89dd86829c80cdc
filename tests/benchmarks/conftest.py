"""What the tests of the benchmarks share: the images, built once, where the extra is installed."""

import importlib.util

import pytest

from benchmarks import frontend
from benchmarks.mcu.image import Image

EXTRA = ("ziglang", "unicorn", "elftools")


@pytest.fixture(scope="session")
def mcu_extra() -> None:
    """Skips with the package that is missing."""
    missing = [name for name in EXTRA if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"{missing[0]} is not installed: pip install -c constraints.txt -e '.[mcu]'")


@pytest.fixture(scope="session")
def image_256(mcu_extra: None, tmp_path_factory: pytest.TempPathFactory) -> Image:
    return frontend.build(tmp_path_factory.mktemp("image_256"), 256)


@pytest.fixture(scope="session")
def image_all(mcu_extra: None, tmp_path_factory: pytest.TempPathFactory) -> Image:
    return frontend.build(tmp_path_factory.mktemp("image_all"), None)
