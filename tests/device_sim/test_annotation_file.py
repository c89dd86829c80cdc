"""Annotations are bytes of the MIT format: by its definition, and as wfdb reads them back."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_sim.annotation_file import END, SYMBOLS, Mark, beginning, encoded

MARKS = st.lists(
    st.builds(
        Mark,
        sample=st.one_of(st.integers(1, 5000), st.integers(0, 2**31 - 1)),
        symbol=st.sampled_from(sorted(set(SYMBOLS) - {'"'})),
        subtype=st.sampled_from((0, 1, 17, 127)),
        aux=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60),
    ),
    min_size=1,
    max_size=30,
)


def test_a_mark_is_a_word_of_six_and_ten_bits() -> None:
    assert encoded(Mark(sample=77, symbol="N"), before=0) == bytes([77, 1 << 2])
    assert encoded(Mark(sample=370, symbol="V"), before=77) == bytes([293 - 256, 5 << 2 | 1])
    assert encoded(Mark(sample=1023, symbol="N"), before=0) == bytes([0xFF, 1 << 2 | 3])


def test_a_long_way_is_a_skip_with_its_high_half_first() -> None:
    far = encoded(Mark(sample=0x12345678, symbol="N"), before=0)
    assert far == bytes([0, 59 << 2, 0x34, 0x12, 0x78, 0x56, 0, 1 << 2])
    assert encoded(Mark(sample=1024, symbol="N"), before=0)[:6] == bytes([0, 59 << 2, 0, 0, 0, 4])


def test_a_mark_behind_the_last_goes_back() -> None:
    assert encoded(Mark(sample=9, symbol="N"), before=10)[2:6] == b"\xff\xff\xff\xff"


def test_subtype_and_text_follow_in_words_of_their_own() -> None:
    mark = Mark(sample=5, symbol="~", subtype=17, aux="noisy")
    assert encoded(mark, before=0) == bytes([5, 14 << 2, 17, 61 << 2, 5, 63 << 2]) + b"noisy\0"


def test_the_file_says_its_rate_and_ends() -> None:
    assert beginning(360) == bytes([0, 22 << 2, 23, 63 << 2]) + b"## time resolution: 360\0"
    assert END == b"\0\0"


@settings(max_examples=60, deadline=None)
@given(marks=MARKS, rate_hz=st.sampled_from((128, 250, 360, 1000)))
def test_wfdb_reads_every_mark_back(
    tmp_path_factory: pytest.TempPathFactory, marks: list[Mark], rate_hz: int
) -> None:
    wfdb = pytest.importorskip("wfdb", reason="reads annotations back; pip install 'wristlead[records]'")
    marks = sorted(marks, key=lambda mark: mark.sample)
    path = Path(tmp_path_factory.mktemp("marks")) / "r.beat"
    content, before = beginning(rate_hz), 0
    for mark in marks:
        content, before = content + encoded(mark, before=before), mark.sample
    path.write_bytes(content + END)
    found = wfdb.rdann(str(path.with_suffix("")), "beat")
    assert found.fs == rate_hz
    assert found.sample.tolist() == [mark.sample for mark in marks]
    assert list(found.symbol) == [mark.symbol for mark in marks]
    assert found.subtype.tolist() == [mark.subtype for mark in marks]
    assert list(found.aux_note) == [mark.aux for mark in marks]
