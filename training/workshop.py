"""Where a run finds its recordings and keeps what it has finished."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from training.data.cache import Cache
from training.jobs import Workers
from training.recipe import Recipe

CODE_VERSION = "1"  # raise it when a change of code makes finished jobs stale


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """The places of one run, and whom it tells how far it is."""

    data: Path
    cache: Cache
    workers: Workers
    tell: Callable[[str], None]

    def jobs_folder(self, recipe: Recipe, digests: tuple[str, ...]) -> Path:
        """Finished jobs lie under everything that decides their result: recipe, recordings, code.

        The recipe's name decides nothing, and neither does how many seeds were asked for: one more
        seed continues where the last run ended.
        """
        decides = {
            key: value for key, value in asdict(recipe).items() if key not in ("name", "seeds", "records")
        }
        content = json.dumps([decides, sorted(digests), CODE_VERSION], sort_keys=True, default=str)
        return self.cache.folder / "jobs" / f"{recipe.name}-{sha256(content.encode()).hexdigest()[:16]}"

    def count(self, what: str) -> Callable[[int, int, float], None]:
        """A progress line per finished job."""

        def on_done(done: int, total: int, eta_s: float) -> None:
            self.tell(f"{what}: {done} of {total}, {eta_s / 60:.1f} min to go")

        return on_done
