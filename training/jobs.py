"""Independent jobs, each a file when it is done: stop at any time, continue, count nothing twice."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from device_sim.contract.errors import StreamError
from training.data.cache import write_whole

Document = Mapping[str, Any]
CODE_VERSION = "1"  # raise it when a change of code makes finished jobs stale


@dataclass(frozen=True, slots=True)
class Job:
    """`key` names the file; `call(**arguments)` runs anywhere and returns what JSON can hold."""

    key: str
    call: Callable[..., Document]
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """Who runs the jobs: processes here, or a Dask cluster; the code path is the same."""

    n_processes: int = 1
    cluster: str | None = None  # address of a Dask scheduler


def key_of(readable: str, *decides: object) -> str:
    """A file name that changes with everything that decides the job's result."""
    whole = sha256("\0".join([CODE_VERSION, *map(described, decides)]).encode())
    return f"{readable}-{whole.hexdigest()[:16]}"


def described(value: object) -> str:
    """A value as text; of a dataclass only what differs from its defaults.

    So a new field, whose default changes nothing, leaves finished jobs finished.
    """
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(described, value))}]"
    if not is_dataclass(value) or isinstance(value, type):
        return repr(value)
    set_fields = [
        f"{field.name}={described(getattr(value, field.name))}"
        for field in fields(value)
        if getattr(value, field.name) != field.default
    ]
    return f"{type(value).__name__}({', '.join(set_fields)})"


def run_jobs(
    jobs: Sequence[Job],
    folder: Path,
    workers: Workers,
    *,
    on_done: Callable[[int, int, float], None] = lambda _done, _total, _eta_s: None,
) -> dict[str, Document]:
    """Every job's document by key; those whose file is there are read, not run."""
    keys = [job.key for job in jobs]
    if len(set(keys)) != len(keys):
        raise ValueError("jobs: expected a key of its own for each job")
    waiting = [job for job in jobs if not path_of(folder, job.key).exists()]
    n_before, started_s = len(jobs) - len(waiting), time.monotonic()
    for n_done, _key in enumerate(_finished(waiting, folder, workers), start=1):
        eta_s = (time.monotonic() - started_s) / n_done * (len(waiting) - n_done)
        on_done(n_before + n_done, len(jobs), eta_s)
    return {key: json.loads(path_of(folder, key).read_bytes()) for key in keys}


def path_of(folder: Path, key: str) -> Path:
    return folder / f"{key}.json"


def finish(job: Job, folder: Path) -> str:
    """Run one job and put its file down; a worker that dies before the rename leaves nothing.

    A job that a cluster starts again on another worker writes the same bytes to the same name.
    """
    import torch

    torch.set_num_threads(1)  # one job, one core; also what makes sums reproducible
    path = path_of(folder, job.key)
    if not path.exists():
        document = json.dumps(job.call(**job.arguments), sort_keys=True).encode()
        write_whole(path, lambda stream: stream.write(document))
    return job.key


def _finished(jobs: Sequence[Job], folder: Path, workers: Workers) -> Any:
    """Keys in the order they come back."""
    if not jobs:
        return
    if workers.cluster is None and workers.n_processes == 1:
        for job in jobs:
            yield finish(job, folder)
        return
    from joblib import Parallel, delayed, parallel_config

    calls = [delayed(finish)(job, folder) for job in jobs]
    if workers.cluster is None:
        yield from Parallel(n_jobs=workers.n_processes, return_as="generator_unordered")(calls)
        return
    with _client(workers.cluster), parallel_config(backend="dask"):
        yield from Parallel(n_jobs=-1, return_as="generator_unordered")(calls)


def _client(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError as fault:
        raise StreamError(
            "--cluster: expected dask and distributed, they are not installed; pip install -e '.[cluster]'"
        ) from fault
    try:
        return Client(address, timeout="20s")  # type: ignore[no-untyped-call]
    except (OSError, TimeoutError, ValueError) as fault:
        raise StreamError(f"--cluster {address}: no scheduler answers: {fault}") from fault
