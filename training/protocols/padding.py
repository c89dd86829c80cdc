"""What CardiacNet loses by padding with zeros, which integer runtimes can do, instead of edge values.

python -m training.protocols.padding RECIPE   every recording alone, P1's split, one setting, both paddings
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from training.metrics import bootstrap_mean
from training.options import add_options, workshop_of
from training.progress import teller
from training.protocols.personal import fit_chosen
from training.recipe import PersonalRecipe, read_recipe
from training.wearers import wearers_of
from training.workshop import Workshop

SEEDS = (0, 1, 2)
SHIPPED, REFERENCE = "cardiacnet", "cardiacnet_replicate"


def mean_tests(net: str, recipe: PersonalRecipe, workshop: Workshop) -> dict[str, float]:
    """Test balanced accuracy per recording, mean over seeds."""
    wearers = wearers_of(workshop, stream=recipe.stream, rule=recipe.rule, records=recipe.records)
    setting = {wearer.name: recipe.individual for wearer in wearers}
    outcomes = fit_chosen(replace(recipe, net=net, seeds=SEEDS), wearers, workshop, "individual", setting)
    return {
        record: float(np.mean([one.test.balanced_accuracy for one in outcomes if one.record == record]))
        for record in setting
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
