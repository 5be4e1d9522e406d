"""Writes docs/one-step.md: how to use the command, and what the shipped models measure."""

import argparse
from pathlib import Path

import linearizer as lz
from linearizer.cli.flow import Output, directions, sample

INTRO = """# One-step flow matching

Made by `make docs/one-step.md`. A flow from noise to images whose N-step sampler is one linear map
between two induced spaces: sampled in one step, inverted exactly, with an exact density.
[The mathematics](mathematics.md), [what a step costs](one-step-benchmark.md).

## Train

    linearizer train one-step --data digits --out runs/digits
    linearizer train one-step --data mnist --data-dir MNIST_FOLDER --out runs/mnist
    linearizer train one-step --data faces64 --data-dir FOLDER_OR_ZIP --out runs/faces
    linearizer train one-step --data hf:NAME --out runs/hub
    linearizer train one-step --data FOLDER_OR_ZIP --out runs/mine
    torchrun --nproc-per-node 2 -m linearizer train one-step --data digits --out runs/digits

By default g is trained alone, by exact maximum likelihood on dequantised images, and the operator
is then computed: the closed form. `--operator paper` trains the paper's low-rank hypernetwork
jointly with both bijections, by the paper's losses. A run that was stopped, even by `kill -9`, goes
on from its last checkpoint when the same command is given again; with the closed form to the same
weights. Losses are in `RUN/logs/*/metrics.csv`, sample grids in `RUN/samples/`.

## Use

    linearizer sample RUN -n 64                          # one step
    linearizer sample RUN -n 64 --steps 100 --method rk4 # the same, really taken
    linearizer invert RUN a.png b.png
    linearizer interpolate RUN a.png b.png
    linearizer likelihood RUN a.png b.png
    linearizer directions RUN --image a.png
    linearizer evaluate RUN --lpips-backbone FILE --lpips-heads FILE

RUN is a folder, or the name of a model that comes with the library. Each command writes a picture
and, beside it, its tensors. In Python all of it is methods of `OneStepFlow`:

```python
import linearizer as lz

flow = lz.load("digits")
images = flow.sample(16, seed=0)
noise = flow.encode(images)
line = flow.interpolate(images[0], images[1], 9)
flow.log_prob(images), flow.collapse(100, "rk4").svd(4).singular_values
```

LPIPS is measured with SqueezeNet, Fréchet distances in the features of a classifier that is trained
on the same data, not Inception's: compare them with each other only.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs"))
    out: Path = parser.parse_args().out
    pages = [INTRO]
    for name in lz.list_pretrained():
        picture = out / "images" / f"{name}-samples.png"
        walks = out / "images" / f"{name}-directions.png"
        sample(name, 64, None, "euler", 1.0, False, 0, Output(picture, overwrite=True))
        directions(name, None, 6, 3.0, False, Output(walks, overwrite=True))
        for path in (picture, walks):
            path.with_suffix(".safetensors").unlink()  # the page shows pictures alone
        card = (lz.saving.PRETRAINED / name / "README.md").read_text(encoding="utf-8")
        pages.append(
            card.replace("# ", "## The model ", 1).rstrip()
            + f"\n\n![Samples of {name}](images/{picture.name})\n\nNot chosen: "
            f"`linearizer sample {name} --seed 0`.\n\n![Singular directions of {name}]"
            f"(images/{walks.name})\n\nThe zero vector of the induced space, and walks along the "
            f"leading singular directions: `linearizer directions {name} -k 6`.\n"
        )
    (out / "one-step.md").write_text("\n".join(pages), encoding="utf-8")


if __name__ == "__main__":
    main()
