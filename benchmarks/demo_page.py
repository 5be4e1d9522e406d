"""Writes docs/demo.md and its pictures from a finished `linearizer demo` run."""

import argparse
import json
import shutil
from pathlib import Path

from linearizer.evaluation.demo import report_rows

PICTURES = {
    "samples.png": "Samples of one linear step, above held-out real digits.",
    "ten_classes.png": (
        "Ten classes, each an operator; the pictures of a column come from the same noise."
    ),
    "one_hand.png": (
        "Held-out digits, and below each the same noise as each of the ten classes, by the linear "
        "map between two classes."
    ),
    "one_step_vs_n_step.png": (
        "100 real steps of a sampler, and the one operator that they multiply up to: pairs of "
        "rows, from the same noise; a column is a class."
    ),
    "inversion.png": (
        "Held-out digits, the noise they come from, and back; the error 100,000 times too large."
    ),
    "interpolation.png": "Straight lines in the induced space, and in pixels.",
    "singular_directions.png": "A held-out digit plus multiples of the leading singular points.",
    "powers.png": (
        "A digit under fⁿ, for the f whose third power turns one digit into another: f⁶ is ⊖x, "
        "f¹² the identity."
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("runs/demo"))
    parser.add_argument("--out", type=Path, default=Path("docs"))
    arguments = parser.parse_args()
    metrics = json.loads((arguments.run / "metrics.json").read_text(encoding="utf-8"))
    lines = [
        "# What the demo measures",
        "",
        "The claims of the library on real digits, measured after a short training, each with "
        "its threshold.",
        "",
        "Made by `make demo`, then `make docs/demo.md`: 1,500 real digits of 8×8 pixels train g "
        f"for {metrics['training_steps']} steps on {metrics['torch_threads']} thread of a "
        "processor, by the likelihood of one Gaussian for each class; the operator of each class "
        "is computed in closed form. "
        f"{metrics['held_out_digits']} digits are held out, {metrics['samples']} are generated, as "
        "many of each class. Where a number is of one f, it is the worst of the ten classes. "
        "Fréchet distances are in the features of a small classifier trained on the same digits, "
        "not Inception's: compare them with each other only. Bits a pixel are of the digits with "
        f"Gaussian noise of standard deviation {metrics['noise_std']} added.",
        "",
        "| what | measured | threshold | |",
        "|---|---|---|---|",
    ]
    for name, *figures in report_rows(metrics):
        lines.append(f"| {' | '.join([name.replace('|', chr(92) + '|'), *figures])} |")
    (arguments.out / "images").mkdir(exist_ok=True)
    for name, text in PICTURES.items():
        shutil.copy(arguments.run / name, arguments.out / "images" / name)
        lines += ["", text, "", f"![{text}](images/{name})"]
    (arguments.out / "demo.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
