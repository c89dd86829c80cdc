"""Opens external-test for paper 000's table: every net as it was trained, at the threshold that stands."""

from pathlib import Path

from device_sim.contract.errors import ContractError, DigestError
from training.paper_recipe import PaperRecipe
from training.protocols.paper_quality import judge_paper, train_paper
from training.protocols.paper_report import PaperMetrics
from training.provenance import write_json
from training.results_folder import EXTERNAL_TEST, METRICS, log_opening, read_metrics
from training.workshop import Workshop


def open_papers_table(
    folder: Path, recipe: PaperRecipe, protocol: str, openings: Path, workshop: Workshop
) -> PaperMetrics:
    """Finished nets come from the cache; where they are gone they are trained again, and must be the same."""
    if protocol != "external":
        raise ContractError(f"{folder}: --protocol: expected external ({recipe.protocol}), got {protocol}")
    dev = read_metrics(folder / METRICS)
    assert isinstance(dev, PaperMetrics)
    trained = train_paper(recipe, workshop)
    for row, one in zip(dev.rows, trained.nets, strict=True):
        if row.sha256 != one.sha256:
            raise DigestError(
                f"{folder}/{METRICS}: {one.arm.name}, seed {one.seed}: expected weights {row.sha256[:12]}.., "
                f"got {one.sha256[:12]}..; train the recipe here first"
            )
    metrics = judge_paper(recipe, trained, "external-test", workshop, known=dev.rows)
    log_opening(
        openings,
        recipe=recipe.name,
        protocol=protocol,
        weights_sha256=[one.sha256 for one in trained.nets],
    )
    write_json(folder / EXTERNAL_TEST, metrics)
    return metrics
