"""Makes a pretrained model of a finished run: rounded weights, refitted operators, and a card.

First `python benchmarks/ship.py RUN NAME`, then `linearizer evaluate NAME --out EVALUATION`, then
the first again with `--evaluation EVALUATION`: the card's table is of the rounded weights.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from linearizer.applications import OneStepFlow
from linearizer.cli.train import fit_flow
from linearizer.data import open_data
from linearizer.saving import PRETRAINED, round_to_half_
from linearizer.training import PRESETS, Recipe

CARD = """# {name}

A one-step flow (`OneStepFlow`) from N(0, I) to images {shape}.

| | |
|---|---|
| data | {data}, {images:,} training images |
| recipe | g by maximum likelihood, operators in closed form: `{recipe}` |
| command | `{command}` |
| training | {steps} steps in {minutes:.0f} minutes on {hardware} |
| parameters | {parameters:.2f} M in g |
| licence | of the weights Apache-2.0; of the data its own |

{metrics}
"""


OPTIONS = ("depth", "width", "noise", "steps", "batch_size", "reconstruction", "precision")


def command(note: dict[str, Any], recipe: Recipe) -> str:
    """What was typed: the data set, and what differs from its preset."""
    words = ["linearizer train one-step --data", note["data"]]
    if note["data_dir"] is not None:
        words.append("--data-dir FOLDER")
    preset = PRESETS.get(note["data"], PRESETS["mnist"])
    for option in OPTIONS:
        if (value := getattr(recipe, option)) != getattr(preset, option):
            words.append(
                f"--{option.replace('_', '-')} {value:g}"
                if option != "precision"
                else f"--precision {value}"
            )
    return " ".join([*words, f"--seed {note['seed']}"])


def make_card(
    name: str, flow: OneStepFlow, note: dict[str, Any], images: int, hardware: str, metrics: str
) -> str:
    """What there is to know about a trained flow."""
    recipe = Recipe(**note["recipe"])
    return CARD.format(
        name=name,
        shape=flow.g_data.in_shape,
        data=note["data"],
        images=images,
        recipe=note["recipe"],
        command=command(note, recipe),
        steps=note["steps"],
        minutes=note["seconds"] / 60,
        hardware=hardware,
        parameters=sum(p.numel() for p in flow.g_data.parameters()) / 1e6,
        metrics=metrics,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    parser.add_argument("--evaluation", type=Path, help="folder that evaluate wrote")
    parser.add_argument("--hardware", default="one thread of a processor")
    arguments = parser.parse_args()
    note = json.loads((arguments.run / "run.json").read_text(encoding="utf-8"))
    recipe = Recipe(**note["recipe"])
    data_dir = None if note["data_dir"] is None else Path(note["data_dir"])
    train, _ = open_data(note["data"], data_dir, seed=note["seed"])
    g = OneStepFlow.from_pretrained(arguments.run).g_data.bijections[0]  # without the centring
    round_to_half_(g)
    flow = fit_flow(g, train, recipe, note["seed"])
    folder = PRETRAINED / arguments.name
    flow.save_pretrained(folder, overwrite=True, compact=True)
    shared = {**note, "data_dir": None}  # where the data lay here is of no use elsewhere
    shared.setdefault("noise_deviation", train.noise_deviation(recipe.noise))
    (folder / "run.json").write_text(json.dumps(shared, indent=1) + "\n", encoding="utf-8")
    table = arguments.evaluation / "evaluation.md" if arguments.evaluation else None
    card = make_card(
        arguments.name,
        flow,
        note,
        len(train),
        arguments.hardware,
        table.read_text(encoding="utf-8") if table else "",
    )
    (folder / "README.md").write_text(card, encoding="utf-8")
    size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    print(f"{folder}: {size:.1f} MB")


if __name__ == "__main__":
    main()
