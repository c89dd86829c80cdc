"""Jobs: done once, kept as files, on processes here and on a cluster one of whose workers is killed."""

import json
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from device_sim.contract.errors import StreamError
from training.jobs import Job, Workers, described, finish, key_of, path_of, run_jobs

ALONE = Workers()


def square(*, n: int, log: Path, pause_s: float = 0.0) -> dict[str, int]:
    """Writes down that it ran, and where."""
    time.sleep(pause_s)
    with log.open("a") as lines:
        lines.write(f"{n} {os.getpid()}\n")
    return {"n": n, "square": n * n}


def squares(tmp_path: Path, n_jobs: int, pause_s: float = 0.0) -> list[Job]:
    arguments = [{"n": n, "log": tmp_path / "log", "pause_s": pause_s} for n in range(n_jobs)]
    return [Job(f"square-{one['n']}", square, one) for one in arguments]


def runs(tmp_path: Path) -> list[str]:
    return (tmp_path / "log").read_text().splitlines() if (tmp_path / "log").exists() else []


def test_every_job_is_done_and_reported(tmp_path: Path) -> None:
    said: list[tuple[int, int]] = []
    found = run_jobs(
        squares(tmp_path, 4),
        tmp_path / "done",
        ALONE,
        on_done=lambda done, total, _eta_s: said.append((done, total)),
    )
    assert [found[f"square-{n}"]["square"] for n in range(4)] == [0, 1, 4, 9]
    assert said == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_finished_job_is_read_and_not_run_again(tmp_path: Path) -> None:
    run_jobs(squares(tmp_path, 2), tmp_path / "done", ALONE)
    found = run_jobs(squares(tmp_path, 3), tmp_path / "done", ALONE)
    assert len(runs(tmp_path)) == 3
    assert found["square-2"]["square"] == 4


def test_a_job_that_fails_leaves_no_file(tmp_path: Path) -> None:
    job = Job("broken", square, {"n": 1, "log": tmp_path / "no" / "such" / "folder"})
    with pytest.raises(FileNotFoundError):
        finish(job, tmp_path / "done")
    assert not path_of(tmp_path / "done", "broken").exists()
    assert not list(tmp_path.glob("done/*"))


def test_two_jobs_of_one_name_are_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a key of its own"):
        run_jobs(squares(tmp_path, 2) + squares(tmp_path, 1), tmp_path / "done", ALONE)


def test_processes_give_the_same_documents(tmp_path: Path) -> None:
    found = run_jobs(squares(tmp_path, 5), tmp_path / "done", Workers(n_processes=2))
    assert found == run_jobs(squares(tmp_path, 5), tmp_path / "again", ALONE)


@dataclass(frozen=True)
class Setting:
    lr: float
    decay: float = 0.0


@dataclass(frozen=True)
class Wider:
    lr: float
    decay: float = 0.0
    smoothing: float = 0.0


def test_a_new_field_at_its_default_changes_no_key() -> None:
    Wider.__name__ = "Setting"
    assert described(Setting(lr=0.1)) == described(Wider(lr=0.1)) == "Setting(lr=0.1)"
    assert described((Setting(lr=0.1, decay=0.2),)) == "[Setting(lr=0.1, decay=0.2)]"


def test_a_key_follows_whatever_decides() -> None:
    assert key_of("a", Setting(lr=0.1), 1) != key_of("a", Setting(lr=0.2), 1)
    assert key_of("a", Setting(lr=0.1), 1).startswith("a-")


def test_a_scheduler_that_does_not_answer_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    with pytest.raises(StreamError, match=r"--cluster .*no scheduler"):
        run_jobs(squares(tmp_path, 1), tmp_path / "done", Workers(cluster="no-such-protocol://nowhere"))


def test_a_cluster_that_loses_a_worker_loses_no_job_and_counts_none_twice(tmp_path: Path) -> None:
    """Two real worker processes; one is killed with jobs in its hands."""
    distributed = pytest.importorskip("distributed")
    n_jobs = 12
    with _cluster(distributed) as cluster:
        victim = next(iter(cluster.workers.values()))
        done: list[int] = []

        def kill_once(n_done: int, _total: int, _eta_s: float) -> None:
            done.append(n_done)
            if n_done == 2:
                os.kill(victim.pid, signal.SIGKILL)

        found = run_jobs(
            squares(tmp_path, n_jobs, pause_s=0.1),
            tmp_path / "done",
            Workers(cluster=cluster.scheduler_address),
            on_done=kill_once,
        )
    assert {key: one["square"] for key, one in found.items()} == {f"square-{n}": n * n for n in range(n_jobs)}
    assert done == list(range(1, n_jobs + 1))
    assert sorted(path.name for path in (tmp_path / "done").glob("*.json")) == sorted(
        f"square-{n}.json" for n in range(n_jobs)
    )
    assert all(json.loads(path.read_bytes()) for path in (tmp_path / "done").glob("*.json"))


def _cluster(distributed: Any) -> Any:
    """Workers import this module by the path the tests run under."""
    sys.path.insert(0, str(Path(__file__).parent))
    return distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    )
