"""Writes docs/one-step.md: how to use the command, and what the shipped models measure."""

import argparse
import json
from pathlib import Path

import torch
from ship import make_card

import linearizer as lz
from linearizer.applications import ConditionalFlow
from linearizer.data import open_data
from linearizer.display.pictures import save_mosaic
from linearizer.saving import find_model
from linearizer.saving.run_information import read_note

INTRO = """# One-step flow matching

A flow from noise to images whose N-step sampler is one linear map between two induced spaces:
sampled in one step, inverted exactly, with an exact density.
[The mathematics](mathematics.md), [what a step costs](one-step-benchmark.md). Made by
`make docs/one-step.md FACES=RUN MNIST=FOLDER`; without FACES its section stays as it is.

## Train

    linearizer train one-step --data digits --out runs/digits
    linearizer train one-step --data mnist --data-dir MNIST_FOLDER --out runs/mnist
    linearizer train one-step --data faces64 --data-dir FOLDER_OR_ZIP --out runs/faces
    linearizer train one-step --data hf:NAME --out runs/hub
    linearizer train one-step --data FOLDER_OR_ZIP --out runs/mine
    torchrun --nproc-per-node 2 -m linearizer train one-step --data digits --out runs/digits

By default g is trained alone, by exact maximum likelihood on dequantized images, and the operator
is then computed: the closed form. `--operator paper` trains the paper's low-rank hypernetwork
jointly with both bijections, by the paper's losses. A run that was stopped, even by `kill -9`, goes
on from its last checkpoint when the same command is given again, to the same weights. Losses are in
`RUN/logs/*/metrics.csv` (`--tensorboard` writes them for TensorBoard too), sample grids in
`RUN/samples/`. `--precision bf16` runs the networks inside the couplings in bfloat16; the couplings
stay in float32, so that inverses stay exact. `--init RUN` starts from a trained g.
`--stable-inverse` trains a g that can be inverted on any input, pure noise too, for a little of its
likelihood: bounded shifts, conditioners that saturate, and a loss on noise.
[What equal training time buys](equal-time.md).

## Use

    linearizer sample RUN -n 100                         # one step; a row of each class
    linearizer sample RUN --label 3                      # of one class
    linearizer sample RUN --label 3 --steps 100 --method rk4   # the same, really taken
    linearizer sample RUN --denoise
    linearizer translate RUN a.png --to 8                # of another class, in the same hand
    linearizer invert RUN a.png b.png
    linearizer reconstruct RUN a.png b.png --latent-noise 0.3
    linearizer interpolate RUN a.png b.png
    linearizer likelihood RUN a.png b.png
    linearizer directions RUN --image a.png
    linearizer evaluate RUN --lpips-backbone FILE --lpips-heads FILE

RUN is a folder, or the name of a model that comes with the library. Each command writes a picture
and, beside it, its tensors. The models that come with the library have
[classes](how-to/classes.md); a flow without takes neither `--label` nor `translate`. In Python a
flow with classes is a `ConditionalFlow`, and each class a `OneStepFlow`:

```python
import linearizer as lz

flow = lz.load("digits")
images = flow.sample(16, seed=0)
line = flow.interpolate(images[0], images[1], 9)
flow.log_prob(images), flow.posterior(images)

three = flow.at(3)
threes = three.sample(16, seed=0)
noise = three.encode(threes)
three.collapse(100, "rk4").svd(4).singular_values
```

## What is measured

`linearizer evaluate` compares as many samples as there are held-out images, 10,000 at most, with
all held-out images: by the Fréchet distance of Gaussians (a squared mean difference and one of
covariances) and by the kernel distance (KID), which has no bias of few samples. Both are taken in
the features of a classifier that is trained on the same data, not Inception's: compare them with
each other only, and with those of as many training images. Raw samples are what the linear map
makes; denoised ones have had the noise taken off that g was trained with. What takes long, a
hundred steps by four methods, inversion and LPIPS (with SqueezeNet), is measured on 1,000 images.

A flow with classes is also asked for samples of each class, and a classifier that knows the true
ones says how many are of the class asked for, and how far the share of each class is from that
among held-out images. Its own posterior is measured as a classifier. Every held-out image of 1,000
is translated to all other classes: the class has to change, and the slant and the width of the
strokes, which belong to the hand, have to stay; their correlations before and after say how far
they do. One step against many is that of the worst class.
"""


FACES_TITLE = "## Faces\n\n"
FACES = """The weights are not shipped: CelebA is for non-commercial research. 64×64 in color is
12,288 numbers; g is the wavelet layout of `image_bijection`, and the operators keep 256 directions
of the latents' covariance beside one variance for all others, so that nothing is ever n × n.
"""


def body(card: str, title: str) -> str:
    """A card as a section of the page: without its metadata, headings one level down."""
    text = card.split("---\n", 2)[2].strip() + "\n"
    text = text.replace("\n## Laws on these weights", "\n### Laws on these weights")
    return text.replace("# ", f"## {title}", 1)


@torch.no_grad()
def pictures(run: str, name: str, out: Path) -> str:
    """Samples as they are, without the noise of training, and walks, as a piece of the page."""
    files = [f"{name}-samples.png", f"{name}-denoised.png", f"{name}-directions.png"]
    plain, clean, along = (out / "images" / file for file in files)
    flow, std = lz.OneStepFlow.from_pretrained(run), read_note(find_model(run))["noise_std"]
    images = flow.sample(64, seed=0)
    save_mosaic(plain, images.split(8))
    save_mosaic(clean, flow.denoise(images, std).split(8))
    lengths = torch.linspace(-3, 3, 9).tolist()
    walks, values = flow.directions(lz.InducedSpace(flow.g_data).zero(), lengths, 6)
    save_mosaic(
        along,
        list(walks),
        row_labels=[f"σ{i + 1} = {sigma:.2f}" for i, sigma in enumerate(values)],
        column_labels=[f"{t:+.1f}" for t in lengths],
    )
    return (
        f"![Samples of {name}](images/{plain.name})\n\nNot chosen: `linearizer sample {name} "
        f"--seed 0`.\n\n![The same without noise](images/{clean.name})\n\nThe same with "
        "`--denoise`, which takes away the noise that g was trained with (Tweedie's formula).\n\n"
        f"![Singular directions of {name}](images/{along.name})\n\nThe zero vector of the induced "
        f"space, and walks along the leading singular directions: `linearizer directions {name} "
        "-k 6`.\n"
    )


@torch.no_grad()
def pictures_of_classes(run: str, name: str, out: Path, data_dir: Path | None) -> str:
    """Ten samples of each class, raw and denoised, and one hand in all classes."""
    files = (f"{name}-samples.png", f"{name}-denoised.png", f"{name}-translated.png")
    plain, clean, hand = (out / "images" / file for file in files)
    flow, note = lz.load(run), read_note(find_model(run))
    assert isinstance(flow, ConditionalFlow), "chosen by the caller"
    names, each = [str(label) for label in flow.classes], 10
    images = flow.decode(
        flow.pooled.noise(each * len(names), 0), flow.draw_evenly(each * len(names), 0)
    )
    save_mosaic(plain, images.split(each), row_labels=names)
    save_mosaic(clean, flow.denoise(images, note["noise_std"]).split(each), row_labels=names)
    folder = data_dir or note.get("data_dir")
    _, held_out = open_data(note["data"], folder, seed=note.get("seed", 0), size=note.get("size"))
    x = torch.cat([held_out.images[held_out.labels == label][:1] for label in flow.classes])
    made = torch.stack([flow.translate(x, label) for label in flow.classes], 1)
    rows = [torch.cat([image[None], row]) for image, row in zip(x, made, strict=True)]
    save_mosaic(hand, rows, column_labels=["image", *names])
    return (
        f"![Samples of {name}, a class a row](images/{plain.name})\n\nTen samples of each class, "
        "not chosen.\n\n"
        f"![The same denoised](images/{clean.name})\n\nThe same after `denoise`, at the noise "
        "that g was trained with (Tweedie's formula).\n\n"
        f"![One hand in all classes of {name}](images/{hand.name})\n\nThe first held-out image of "
        "each class, and the same noise as every class, by the Linearizer `f_b f_a⁺`: "
        f"`linearizer translate {name} IMAGE`.\n"
    )


def section(run: str, name: str, card: str, out: Path, data_dir: Path | None) -> list[str]:
    """What is written and drawn of a flow, with classes or without."""
    if isinstance(lz.load(run), ConditionalFlow):
        return [body(card, "The model "), pictures_of_classes(run, name, out, data_dir)]
    return [body(card, "The model "), pictures(run, name, out)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs"))
    parser.add_argument("--faces", type=Path, help="a run on faces64 with its evaluation")
    parser.add_argument("--data-dir", type=Path, help="where mnist lies")
    parser.add_argument("--hardware", default="one thread of a processor")
    arguments = parser.parse_args()
    page, pages = arguments.out / "one-step.md", [INTRO]
    for name in lz.list_pretrained():
        if not isinstance(lz.load(name), lz.OneStepFlow | ConditionalFlow):
            continue
        card = (lz.saving.PRETRAINED / name / "README.md").read_text(encoding="utf-8")
        folder = None if name == "digits" else arguments.data_dir
        pages += section(name, name, card, arguments.out, folder)
    if arguments.faces is not None:
        run = arguments.faces
        note = json.loads((run / "run.json").read_text(encoding="utf-8"))
        table = (run / "evaluation.md").read_text(encoding="utf-8")
        images = json.loads((run / "evaluation.json").read_text(encoding="utf-8"))["images"]
        flow = lz.OneStepFlow.from_pretrained(run)
        card = make_card("faces64", flow, note, images["train"], [], arguments.hardware, table)
        pages += [
            body(card, "").replace("## faces64", f"{FACES_TITLE}{FACES}", 1),
            pictures(str(run), "faces64", arguments.out),
        ]
    elif page.exists() and (old := page.read_text(encoding="utf-8").partition(FACES_TITLE))[1]:
        pages.append("".join(old[1:]))
    page.write_text("\n".join(pages), encoding="utf-8")


if __name__ == "__main__":
    main()
