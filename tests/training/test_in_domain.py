"""Five folds by recording: nobody is judged by a net that heard them, and nothing is chosen."""

from pathlib import Path

import numpy as np

from training.checkpoint import write_checkpoint
from training.cinc_windows import CincColumns, join
from training.nets import make_net
from training.protocols.in_domain import N_FOLDS, folds_of, held_out_scores
from training.quality_fit import clean_logits
from training.quality_splits import IDENTICAL, fold_of

NAMES = tuple(f"A{index:05d}" for index in range(1, 61))


def columns(n_columns: int = 250) -> CincColumns:
    """Recordings whose every code is their number."""
    codes = np.repeat(np.arange(len(NAMES)), n_columns)[:, None].repeat(32, axis=1)
    return CincColumns(
        codes_ts_i8=codes.astype(np.int8),
        lengths=np.full(len(NAMES), n_columns),
        names=NAMES,
        labels=tuple("noise" if index % 7 == 0 else "af" for index in range(len(NAMES))),
    )


def test_what_teaches_a_fold_holds_nothing_of_what_it_judges() -> None:
    known = columns()
    fold, lesson = folds_of(known), known.lessons()
    assert set(fold) == set(range(N_FOLDS))
    for number in range(N_FOLDS):
        taught = lesson.only(fold[known.recordings_at(lesson.starts)] != number)
        seen = np.unique(taught.windows(np.arange(len(taught))))
        assert set(seen) == set(np.flatnonzero(fold != number))


def test_a_lesson_is_as_clean_as_its_recording() -> None:
    known = columns()
    lesson = known.lessons()
    number = lesson.windows(np.arange(len(lesson)))[:, 0, 0]
    assert np.array_equal(lesson.clean, (number % 7 != 0).astype(np.float32))
    assert np.array_equal(known.recordings_at(lesson.starts), number)
    one = lesson.only(number == 3)
    assert np.all(one.windows(np.arange(len(one))) == 3)
    assert one.digest != lesson.digest


def test_the_first_window_teaches_as_often_as_it_is_judged_and_no_window_crosses_recordings() -> None:
    known = columns()
    starts = known.lessons().starts % 250
    at, times = np.unique(starts, return_counts=True)
    # 250 columns hold a window at every second from 0 to 10; one in five of those is judged, the first always
    assert at.tolist() == [16 * second for second in range(11)]
    assert times.tolist() == [5 * len(NAMES)] + 10 * [len(NAMES)]


def test_recordings_with_the_same_samples_share_a_fold_and_folds_are_about_as_large() -> None:
    assert all(fold_of(one, N_FOLDS) == fold_of(other, N_FOLDS) for one, other in IDENTICAL.items())
    counts = np.bincount([fold_of(f"A{index:05d}", N_FOLDS) for index in range(1, 8529)], minlength=N_FOLDS)
    assert counts.min() > 0.18 * counts.sum()


def test_each_window_is_scored_by_the_net_of_its_own_fold(tmp_path: Path) -> None:
    windows = columns().windows()
    fold = folds_of(columns())[windows.recording]
    nets = [make_net("quality_tiny", seed=number) for number in range(N_FOLDS)]
    paths = [tmp_path / f"{number}.safetensors" for number in range(N_FOLDS)]
    for net, path in zip(nets, paths, strict=True):
        write_checkpoint(path, "quality_tiny", net.state_dict())
    scores = held_out_scores("quality_tiny", paths, windows)
    for number, net in enumerate(nets):
        expected = clean_logits(net, windows.codes_st_i8[fold == number])
        assert np.allclose(scores[fold == number], expected)
    assert not np.isnan(scores).any()


def test_joined_sides_keep_their_order() -> None:
    one = columns(100)
    both = join([one, columns(180)])
    assert both.names == NAMES + NAMES
    windows = both.windows()
    assert np.array_equal(windows.codes_st_i8[:, 0, 0], windows.recording % len(NAMES))
