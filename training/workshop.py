"""Where a run finds its recordings and keeps what it has finished."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from training.data.cache import Cache
from training.jobs import Workers


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """The places of one run, and whom it tells how far it is."""

    data: Path
    cache: Cache
    workers: Workers
    tell: Callable[[str], None]

    @property
    def jobs(self) -> Path:
        return self.cache.folder / "jobs"

    def count(self, what: str) -> Callable[[int, int, float], None]:
        """A progress line per finished job."""

        def on_done(done: int, total: int, eta_s: float) -> None:
            self.tell(f"{what}: {done} of {total}, {eta_s / 60:.1f} min to go")

        return on_done
