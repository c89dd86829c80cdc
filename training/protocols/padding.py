"""What CardiacNet loses by padding with zeros, which integer runtimes can do, instead of edge values.

python -m training.protocols.padding RECIPE   every recording alone, P1's split, one setting, both paddings
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from training.jobs import Job, key_of, run_jobs
from training.metrics import bootstrap_mean
from training.options import add_options, workshop_of
from training.progress import teller
from training.protocols.personal import Outcome, fit_wearer
from training.recipe import PersonalRecipe, read_recipe
from training.wearers import wearers_of
from training.workshop import Workshop

SEEDS = (0, 1, 2)
SHIPPED, REFERENCE = "cardiacnet", "cardiacnet_replicate"


def mean_tests(net: str, recipe: PersonalRecipe, workshop: Workshop) -> dict[str, float]:
    """Test balanced accuracy per recording, mean over seeds."""
    jobs = []
    for wearer in wearers_of(workshop, stream=recipe.stream, rule=recipe.rule, records=recipe.records):
        for seed in SEEDS:
            decides = (net, wearer.digest, recipe.individual, recipe.split_seed, seed, None)
            arguments = {
                "net_name": net,
                "wearer": wearer,
                "stage": "individual",
                "spec": recipe.individual,
                "split_seed": recipe.split_seed,
                "seed": seed,
                "pretrained": None,
            }
            jobs.append(Job(key_of(f"individual-{wearer.name}-s{seed}", *decides), fit_wearer, arguments))
    documents = run_jobs(jobs, workshop.jobs, workshop.workers, on_done=workshop.count(net))
    outcomes = [Outcome(**documents[job.key]) for job in jobs]
    return {
        record: float(np.mean([one.test.balanced_accuracy for one in outcomes if one.record == record]))
        for record in sorted({one.record for one in outcomes})
    }


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.protocols.padding", description=__doc__)
    parser.add_argument("recipe", type=Path, help="a recipe of P1")
    add_options(parser)
    arguments = parser.parse_args(argv)
    recipe = read_recipe(arguments.recipe)
    if not isinstance(recipe, PersonalRecipe):
        parser.error(f"{arguments.recipe}: expected a recipe of protocol P1, got {recipe.protocol}")
    workshop = workshop_of(arguments, teller(sys.stderr))
    zeros, edges = (mean_tests(net, recipe, workshop) for net in (SHIPPED, REFERENCE))
    difference = {record: zeros[record] - edges[record] for record in zeros}
    for name, figures in (("zeros", zeros), ("edge values", edges), ("zeros minus edges", difference)):
        print(f"{name:18} {np.mean(list(figures.values())):+.4f} {bootstrap_mean(figures)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
