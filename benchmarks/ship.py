"""Makes a pretrained model of a finished run: rounded weights, refitted operators, and a card.

Styles keep their weights as they are: their operators were trained with this g.

First `python benchmarks/ship.py RUN NAME`, then `linearizer evaluate NAME --out EVALUATION`, then
the first again with `--evaluation EVALUATION`: the card's table is of the rounded weights.
"""

import argparse
import json
import math
from pathlib import Path
from typing import Any

from linearizer.applications import (
    ConditionalFlow,
    IdempotentGenerator,
    OneStepFlow,
    StyleTransfer,
)
from linearizer.data import Images
from linearizer.evaluation.card import write_certificate
from linearizer.saving import PRETRAINED, round_to_half_
from linearizer.training import PRESETS, TrainingConfig
from linearizer.training.classes_fit import NOISE, fit_classes
from linearizer.training.one_step_run import fit_flow
from linearizer.training.projector_run import fit_projector
from linearizer.training.run_folder import open_data_of
from linearizer.verification import certify, load_quietly

Model = OneStepFlow | ConditionalFlow | IdempotentGenerator | StyleTransfer

CARD = """---
library_name: linearizer
license: apache-2.0
tags:
- linearizer
- {tag}
datasets:
- {data}
---

# {name}

{what}

| | |
|---|---|
| data | {data}, {images:,} training images |
| recipe | {how} |
| command | `{command}` |
| training | {steps} steps in {minutes:.0f} minutes on {hardware} |
| parameters | {parameters:.2f} M in g |
| licence | of the weights Apache-2.0; {of_data} |

{metrics}
"""

PHOTOGRAPHS = "photographs of scikit-learn, scikit-image and matplotlib"

OPTIONS = (
    "depth",
    "width",
    "noise",
    "steps",
    "batch_size",
    "learning_rate",
    "reconstruction",
    "precision",
)


def command(note: dict[str, Any], config: TrainingConfig) -> str:
    """What was typed: the data set, and what differs from its preset."""
    words = ["linearizer train", note["application"], "--data", note["data"]]
    if note["data_dir"] is not None:
        words.append("--data-dir FOLDER")
    if note.get("init") is not None:
        words.append(f"--init {note['init']}")
    preset = PRESETS.get(note["data"], PRESETS["mnist"])
    by_classes = note.get("classes") and math.isclose(note["noise_std"], NOISE)
    for option in OPTIONS:
        if option == "noise" and by_classes:
            continue  # it is what classes have if nothing is said
        if (value := getattr(config, option)) != getattr(preset, option):
            words.append(
                f"--{option.replace('_', '-')} {value:g}"
                if option != "precision"
                else f"--precision {value}"
            )
    if note.get("classes"):
        words.append("--classes")
    if note["application"] == "one-step" and config.saturation is not None:
        words.append("--stable-inverse")
    if note["application"] == "projector":
        weights = [name for name in ("restoration", "damaged", "apart") if name in note]
        words += [f"--{name} {note[name]:g}" for name in weights]
    return " ".join([*words, f"--seed {note['seed']}"])


def make_card(
    name: str,
    model: Model,
    note: dict[str, Any],
    images: int,
    earlier: list[dict[str, Any]],
    hardware: str,
    metrics: str,
) -> str:
    """What there is to know about a trained model."""
    of_data = "of the data its own"
    if isinstance(model, StyleTransfer):
        bijections, tag, typed = (model.g_x, model.g_y), "style-transfer", style_command(note)
        names = ", ".join(note["teachers"])
        what = (
            f"Styles as operators (`StyleTransfer`): {names}, on images of any size, trained at "
            f"{note['size']}×{note['size']} on squares of {PHOTOGRAPHS}, made by "
            "`python benchmarks/photographs.py`. The teachers are the networks of PyTorch's "
            "fast-neural-style example."
        )
        how = f"both g and a convolution a style, depth {note['depth']}, width {note['width']}"
        of_data = (
            "photographs public domain, CC0, CC BY 2.0 (china, flower) and without known "
            "restrictions (immunohistochemistry), teachers BSD-3"
        )
    else:
        typed = "`, then `".join(
            command(n, TrainingConfig(**n["config"])) for n in (*earlier, note)
        )
        tag = "image-generation"
        if isinstance(model, ConditionalFlow):
            bijections, classes = (model.g,), ", ".join(map(str, model.classes))
            what = (
                f"One-step flows (`ConditionalFlow`) from N(0, I) to images {model.g.in_shape} of "
                f"the classes {classes}: each class is a linear operator on one g."
            )
            how = f"g under one Gaussian a class, operators in closed form: `{note['config']}`"
        elif isinstance(model, OneStepFlow):
            bijections = (model.g_data,)
            what = (
                f"A one-step flow (`OneStepFlow`) from N(0, I) to images {model.g_data.in_shape}."
            )
            how = f"g by maximum likelihood, operators in closed form: `{note['config']}`"
        else:
            bijections = (model.g,)
            what = (
                f"A projector (`IdempotentGenerator`) of images {model.g.in_shape} onto what its "
                f"data look like, of rank {model.rank} and all ranks below."
            )
            how = (
                "g by restoration and likelihood, the projection in closed form: "
                f"`{note['config']}`"
            )
    return CARD.format(
        name=name,
        tag=tag,
        what=f'{what} `linearizer.load("{name}")`.',
        data=note["data"],
        images=images,
        how=how,
        command=typed,
        steps=sum(n["steps"] for n in (*earlier, note)),
        minutes=sum(n["seconds"] for n in (*earlier, note)) / 60,
        hardware=hardware,
        parameters=sum(p.numel() for g in bijections for p in g.parameters()) / 1e6,
        of_data=of_data,
        metrics=metrics,
    )


def style_command(note: dict[str, Any]) -> str:
    """What was typed to train styles."""
    teachers = " ".join(f"--teacher {name}={file}" for name, file in note["teachers"].items())
    options = ("size", "depth", "width", "variations", "steps", "precision", "seed")
    given = " ".join(f"--{option} {note[option]}" for option in options if option in note)
    return f"linearizer train style --content FOLDER {teachers} {given}"


def rebuilt(run: Path, note: dict[str, Any], train: Images) -> Model:
    """The model with its g rounded to half precision, and the closed form fitted to that g."""
    model: Model = load_quietly(run)
    if isinstance(model, StyleTransfer):
        return model
    if isinstance(model, ConditionalFlow):
        round_to_half_(model.g)
        return fit_classes(model.g, train, noise=note["noise_std"], seed=note["seed"])
    chain = model.g_data if isinstance(model, OneStepFlow) else model.g_of_data
    g = chain.bijections[0]  # not centring
    round_to_half_(g)
    if isinstance(model, OneStepFlow):
        return fit_flow(g, train, TrainingConfig(**note["config"]), note["seed"])
    return fit_projector(g, train, model.rank, note["seed"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    parser.add_argument("--evaluation", type=Path, help="folder that evaluate wrote")
    parser.add_argument(
        "--after", type=Path, nargs="*", default=[], help="runs that this one began as, in order"
    )
    parser.add_argument("--hardware", default="one thread of a processor")
    arguments = parser.parse_args()
    note = json.loads((arguments.run / "run.json").read_text(encoding="utf-8"))
    train, _ = open_data_of(note, note.get("data", note.get("content")), None)
    model = rebuilt(arguments.run, note, train)
    folder = PRETRAINED / arguments.name
    model.save_pretrained(folder, overwrite=True, compact=True)
    earlier = note.get("earlier", []) + [
        json.loads((run / "run.json").read_text(encoding="utf-8")) for run in arguments.after
    ]
    shared = {**note, "data_dir": None}  # where the data lay here is of no use elsewhere
    if earlier:
        shared["earlier"] = earlier
    if isinstance(model, OneStepFlow):
        noise = TrainingConfig(**note["config"]).noise
        shared.setdefault("noise_std", train.noise_std(noise))
    if isinstance(model, StyleTransfer):
        note, shared = {**note, "data": "photographs"}, {**shared, "content": None}
    (folder / "run.json").write_text(json.dumps(shared, indent=1) + "\n", encoding="utf-8")
    measured = "style-evaluation.md" if isinstance(model, StyleTransfer) else "evaluation.md"
    table = arguments.evaluation / measured if arguments.evaluation else None
    card = make_card(
        arguments.name,
        model,
        note,
        len(train),
        earlier,
        arguments.hardware,
        table.read_text(encoding="utf-8") if table else "",
    )
    (folder / "README.md").write_text(card, encoding="utf-8")
    write_certificate(folder, certify(folder, load_quietly(folder)), model)
    size = sum(path.stat().st_size for path in folder.rglob("*")) / 1e6
    print(f"{folder}: {size:.1f} MB")


if __name__ == "__main__":
    main()
