"""What each step of training under classes buys on MNIST, in equal time of the processor.

Every g starts from the same trained one. Each row differs in one thing from the row that it is
to be compared with. Writes a Markdown page, a picture and the command that made them.
"""

import argparse
import copy
import math
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from gaussianization import gaussianized
from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import Callback
from timing import Taken, train_for
from torch import Tensor, nn
from torchmetrics.image.kid import KernelInceptionDistance

import linearizer as lz
from linearizer.applications import ConditionalFlow
from linearizer.data import Images, load_mnist
from linearizer.display.pictures import save_mosaic
from linearizer.metrics import Classifier, bits_per_dimension, feature_distance
from linearizer.training import (
    PRESETS,
    ClassMoments,
    MixtureLikelihoodTraining,
    train_classifier,
)
from linearizer.training.start_from import start_from

STD, WIDE_STD, WIDTH = 0.1, 0.2, 64.0
RANK, BETA = 32, 3.0
GUIDANCE, TEMPERATURE = 0.3, 0.9
WITHIN, WITHOUT_LABELS, CLUSTER_SHRINKAGE = 10, 50, 100.0
LAYERS = 3
LEARNING_RATE = 1e-3
CLASSIFIER_STEPS, KID_SUBSET, SHOWN = 1500, 1000, 20
BATCH = 1000
"""Points whose density is computed at a time: many components cost much for each batch."""
BOLD, RANKS = "**classes**", (0, 8, 32, 128, 784)


# Training ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Variant:
    """One training of g.

    Attributes:
        name: Of its row.
        classes: One Gaussian for each class; one in all if not.
        uniform: Uniform noise of WIDTH grey levels in place of Gaussian noise.
        wide: Standard deviation that the noise begins with; it falls over half of the training.
        rank: Directions of its own that each class has.
        beta: Weight of the posterior.
    """

    name: str
    classes: bool = True
    uniform: bool = False
    wide: float = STD
    rank: int = RANK
    beta: float = BETA


BASE = Variant("classes")
VARIANTS = {
    "classes": BASE,
    "one": Variant("one Gaussian in training", classes=False, beta=0.0),
    "uniform": Variant(f"uniform noise of {WIDTH:g} grey levels", uniform=True),
    "annealed": Variant(f"noise annealed from {WIDE_STD:g} to {STD:g}", wide=WIDE_STD),
    "beta": Variant("β = 0", beta=0.0),
    "one-uniform": Variant(
        f"one Gaussian in training, uniform noise of {WIDTH:g} grey levels",
        classes=False,
        uniform=True,
        beta=0.0,
    ),
    "rank": Variant("all directions are a class's own", rank=10_000),
}
USUAL = ("classes", "one", "uniform", "annealed", "beta")


class Annealed(MixtureLikelihoodTraining):
    """Noise that begins wider and falls to its standard deviation over half of the training."""

    wide = STD

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """The loss of a batch under the noise of this step."""
        left = max(0.0, 1 - 2 * self.global_step / self.steps)
        narrow, self.std = self.std, self.std + (self.wide - self.std) * left
        loss = super().training_step(batch)
        self.std = narrow
        return loss


class LastWeights(Callback):
    """Keeps g as it is at the end of training, before the averaged weights take its place."""

    g: lz.Bijection

    def on_train_end(self, _: Any, module: LightningModule) -> None:
        """Copy g; the averaged weights come after this."""
        self.g = copy.deepcopy(module.g).eval()


def trained(
    variant: Variant, init: str, train: Images, minutes: float
) -> tuple[lz.Bijection, lz.Bijection, Taken]:
    """g with averaged weights, the same without averaging, and what it took."""
    config = PRESETS["mnist"].with_stable_inverse()
    data = train if variant.classes else replace(train, labels=torch.zeros_like(train.labels))
    width = WIDTH if variant.uniform else 0.0

    def make(steps: int) -> LightningModule:
        g = config.bijection(train.shape)
        start_from(g, init)
        module = Annealed(
            g,
            ClassMoments(len(data.labels.unique()), g.out_shape[0], variant.rank),
            steps,
            LEARNING_RATE,
            std=0.0 if variant.uniform else STD,
            beta=variant.beta,
            ood_weight=config.ood_weight,
        )
        module.wide = module.std if variant.uniform else variant.wide
        order = torch.randperm(len(data))[:20_000]
        some = data.take(order)
        module.start(some.dequantized(width, 0) if width else some.images, some.labels)
        return module

    last = LastWeights()
    module, taken = train_for(
        minutes, data, config.batch_size, width, make, average=True, callbacks=[last]
    )
    return module.g, last.g, taken


# Closed forms ------------------------------------------------------------------------------


def noisy(images: Tensor, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return images + STD * torch.randn(images.shape, generator=generator)


def one_gaussian(g: lz.Bijection, train: Images) -> ConditionalFlow:
    return ConditionalFlow.fit(g, train.images, torch.zeros_like(train.labels), noise=STD)


def classes(g: lz.Bijection, train: Images) -> ConditionalFlow:
    return ConditionalFlow.fit(g, train.images, train.labels, noise=STD)


def from_noisy(flow: ConditionalFlow, train: Images) -> ConditionalFlow:
    """The same density with operators that make images with noise."""
    made = ConditionalFlow.fit(flow.g, noisy(train.images, 1), train.labels)
    return ConditionalFlow(
        made.components, made.labels, made.weights, made.pooled, density=flow.density
    )


@torch.no_grad()
def clustered(g: lz.Bijection, train: Images) -> ConditionalFlow:
    """Several Gaussians a class, at the clusters of its latents."""
    return ConditionalFlow.fit(
        g,
        train.images,
        train.labels,
        components=WITHIN,
        shrinkage=CLUSTER_SHRINKAGE,
        noise=STD,
    )


def without_labels(g: lz.Bijection, train: Images) -> ConditionalFlow:
    return ConditionalFlow.fit(
        g,
        train.images,
        components=WITHOUT_LABELS,
        shrinkage=CLUSTER_SHRINKAGE,
        noise=STD,
    )


# Measuring ---------------------------------------------------------------------------------

COLUMNS = (
    "Fréchet distance",
    "of denoised samples",
    "KID · 10³",
    "confidence",
    "asked = judged",
    "posterior right",
    "bits a dimension",
)


class Judge:
    """What is measured of every row, from the same noise."""

    def __init__(self, classifier: Classifier, held_out: Images, samples: int) -> None:
        self.classifier, self.held_out, self.samples = classifier, held_out, samples
        self.real = self._features(held_out.images)

    @torch.no_grad()
    def _features(self, images: Tensor) -> Tensor:
        return torch.cat([self.classifier.features(part) for part in images.split(500)])

    def measure(
        self, flow: ConditionalFlow, *, temperature: float = 1.0, guidance: float = 0.0
    ) -> list[float]:
        """The columns; NaN where the components are no classes."""
        drawn = flow.draw(self.samples, seed=0)
        noise = flow.pooled.noise(self.samples, 0, temperature)
        with torch.no_grad():
            raw = flow.decode(noise, drawn, guidance)
        denoised = torch.cat([flow.denoise(part, STD) for part in raw.split(BATCH)])
        seen = self._features(raw.clamp(-1, 1))
        torch.manual_seed(0)
        size = min(KID_SUBSET, len(seen), len(self.real))
        kid = KernelInceptionDistance(feature=nn.Identity(), subset_size=size)
        scale = self.real.square().mean().sqrt()  # the kernel is made for features of about 1
        kid.update(self.real / scale, real=True)
        kid.update(seen / scale, real=False)
        x = self.held_out.images
        with torch.no_grad():
            shares = self.classifier.head(seen).softmax(1)
            asked = right = math.nan
            if flow.classes == self.held_out.labels.unique().tolist():
                labels = torch.tensor(flow.labels)[drawn]
                asked = float((shares.argmax(1) == labels).float().mean())
                found = torch.cat([flow.classify(part) for part in x.split(BATCH)])
                right = float((found == self.held_out.labels).float().mean())
            return [
                feature_distance(seen, self.real),
                feature_distance(self._features(denoised.clamp(-1, 1)), self.real),
                1e3 * float(kid.compute()[0]),
                float(shares.amax(1).mean()),
                asked,
                right,
                bits_per_dimension(flow, noisy(x, 2), self.held_out.quantization_levels, BATCH),
            ]


def cells(numbers: Sequence[float]) -> str:
    forms = (".1f", ".1f", ".2f", ".3f", ".1%", ".1%", ".3f")
    shown = (
        "-" if math.isnan(x) else f"{x:{form}}" for x, form in zip(numbers, forms, strict=True)
    )
    return " | ".join(shown)


@dataclass(frozen=True)
class Row:
    """A row of the table: a flow, how it is sampled, and how many steps its g was trained."""

    name: str
    steps: int
    flow: ConditionalFlow
    temperature: float = 1.0
    guidance: float = 0.0


def rows(options: argparse.Namespace, train: Images) -> Iterator[Row]:
    """The rows one after another, so that no more than a few flows are held at a time."""
    g = PRESETS["mnist"].with_stable_inverse().bijection(train.shape)
    start_from(g, options.init)
    g.eval()
    yield Row("nothing trained, one Gaussian", 0, one_gaussian(g, train))
    yield Row("nothing trained, classes", 0, classes(g, train))
    for key in options.variants:
        variant = VARIANTS[key]
        g, last, taken = trained(variant, options.init, train, options.minutes)
        if variant.classes and variant is not BASE:
            yield Row(variant.name, taken.steps, classes(g, train))
        elif not variant.classes:
            yield Row(f"{variant.name}, one Gaussian", taken.steps, one_gaussian(g, train))
            yield Row(f"{variant.name}, then classes", taken.steps, classes(g, train))
        else:
            yield from base_rows(g, last, taken.steps, train)


def base_rows(g: lz.Bijection, last: lz.Bijection, steps: int, train: Images) -> Iterator[Row]:
    """Classes as they are trained by default, and what is added without training."""
    flow = classes(g, train)
    yield Row(BOLD, steps, flow)
    yield Row("weights not averaged", steps, classes(last, train))
    yield Row("operators from images with noise", steps, from_noisy(flow, train))
    yield Row(f"guidance {GUIDANCE:g}", steps, flow, guidance=GUIDANCE)
    yield Row(f"temperature {TEMPERATURE:g}", steps, flow, temperature=TEMPERATURE)
    yield Row("one Gaussian after training under classes", steps, one_gaussian(g, train))
    yield Row(f"{WITHIN} clusters within each class", steps, clustered(g, train))
    yield Row(f"{WITHOUT_LABELS} clusters without labels", steps, without_labels(g, train))
    with torch.no_grad():
        higher = gaussianized(g, train.images, train.labels, layers=LAYERS)
    yield Row(f"{LAYERS} closed-form layers on top of g", steps, classes(higher, train))


def own_directions(g: lz.Bijection, train: Images, held_out: Images) -> list[str]:
    """A second table: the density that training sees, with more and less directions of a class."""
    lines = [
        "## Directions of its own that each class has",
        "",
        "The density that training under classes sees, of the g in bold: of test images and their "
        "labels with noise, in bits a dimension, and of the labels given the images, in nats an "
        "image. More directions fit the training images better and others worse.",
        "",
        "| directions | bits a dimension, with the label | nats of the label |",
        "|---|---|---|",
    ]
    for rank in RANKS:
        moments = ClassMoments(10, g.out_shape[0], rank, window=math.inf)
        module = MixtureLikelihoodTraining(g, moments, steps=1, std=STD)
        torch.manual_seed(0)
        module.start(train.images, train.labels)
        parts = zip(held_out.images.split(500), held_out.labels.split(500), strict=True)
        with torch.no_grad():
            losses = [(len(y), module.losses(x, y)) for x, y in parts]
        joint, posterior = (
            sum(count * float(part[key]) for count, part in losses) / len(held_out)
            for key in ("joint", "posterior")
        )
        bits = (joint + math.log((held_out.quantization_levels - 1) / 2)) / math.log(2)
        lines.append(f"| {moments.rank} | {bits:.3f} | {posterior:.3f} |")
        print(lines[-1], flush=True)
    return [*lines, ""]


# The page ----------------------------------------------------------------------------------


def page(
    options: argparse.Namespace,
    table: list[str],
    ranks: list[str],
    accuracy: float,
    held_out: int,
) -> str:
    command = f"python benchmarks/classes.py --data-dir MNIST_FOLDER --minutes {options.minutes:g}"
    if options.init != "mnist":
        command += " --init RUN"
    if tuple(options.variants) != USUAL:
        command += " --variants " + " ".join(options.variants)
    return "\n".join(
        [
            "# What training under classes buys",
            "",
            "What it is worth to train g for its classes, beside training for one Gaussian and "
            "adding classes afterwards.",
            "",
            f"Made by `{command}`: PyTorch {torch.__version__}, one thread, {platform.machine()}, "
            "float32.",
            "",
            "All start from the same g, that of the model `mnist`, and each is trained for "
            f"{options.minutes:g} minutes of the processor. The row in bold is training under "
            f"classes as it is by default: Gaussian noise of standard deviation {STD:g}, "
            f"{RANK} directions of its own for each class, β = {BETA:g}, averaged weights, and "
            "samples from operators of images without noise. Each row below changes one thing "
            "of it. Rows of equally many steps with it share its g, and train nothing.",
            "",
            f"Of {options.samples:,} samples from the same noise and the {held_out:,} test images, "
            f"in features of a classifier trained on MNIST ({accuracy:.1%} right): Fréchet "
            "distance of the samples, and of what Tweedie's formula makes of them; kernel "
            "distance (KID, of features divided by their root mean square) and confidence of the "
            "samples; the share of samples that the classifier takes for the class that was asked "
            "for; the share of test images that the "
            "flow's own posterior tells right; and bits a dimension of test images with noise of "
            f"standard deviation {STD:g}, for which no label is given.",
            "",
            *table,
            "",
            f"{SHOWN} samples of each row from the same noise, not chosen:",
            "",
            "![Samples](images/classes-benchmark.png)",
            "",
            *ranks,
        ]
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True, help="folder of the MNIST files")
    parser.add_argument("--init", default="mnist", help="the flow whose g all start from")
    parser.add_argument("--minutes", type=float, default=5.0, help="of the processor, of each g")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(USUAL))
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument(
        "--images", type=int, help="so many to train and to test on; all if not given"
    )
    parser.add_argument("--out", type=Path, default=Path("docs"))
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    train, held_out = (load_mnist(options.data_dir, train=part) for part in (True, False))
    if options.images is not None:
        train, held_out = (data.take(torch.arange(options.images)) for data in (train, held_out))
    classifier = train_classifier(train, steps=CLASSIFIER_STEPS)
    judge = Judge(classifier, held_out, options.samples)
    table = [
        f"| | steps | {' | '.join(COLUMNS)} |",
        "|---|---|" + "---|" * len(COLUMNS),
    ]
    names, pictures, ranks = [], [], []
    for row in rows(options, train):
        if row.name == BOLD:
            ranks = own_directions(row.flow.g, train, held_out)
        measured = judge.measure(row.flow, temperature=row.temperature, guidance=row.guidance)
        table.append(f"| {row.name} | {row.steps:,} | {cells(measured)} |")
        print(table[-1], flush=True)
        names.append(row.name.strip("*"))
        noise = row.flow.pooled.noise(SHOWN, 0, row.temperature)
        drawn = row.flow.draw_evenly(SHOWN, seed=0)
        with torch.no_grad():
            pictures.append(row.flow.decode(noise, drawn, row.guidance).clamp(-1, 1))
    images = options.out / "images"
    images.mkdir(parents=True, exist_ok=True)
    save_mosaic(images / "classes-benchmark.png", pictures, row_labels=names)
    accuracy = classifier.accuracy(held_out.images, held_out.labels)
    text = page(options, table, ranks, accuracy, len(held_out))
    (options.out / "classes-benchmark.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
