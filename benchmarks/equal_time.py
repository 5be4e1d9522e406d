"""What equal training time buys on MNIST: our g against the paper's, our operator against its.

Everything is trained for the same minutes, one after another in one run on one machine. Writes a
Markdown page and pictures, with the command that made them.
"""

import argparse
import platform
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from lightning.pytorch import LightningModule
from papers_bijection import papers_bijection
from timing import train_for
from torch import Tensor

import linearizer as lz
from linearizer.applications import ConditionalFlow, OneStepFlow
from linearizer.data import Images, load_mnist
from linearizer.display.pictures import save_mosaic
from linearizer.metrics import Classifier, feature_distance, psnr_db
from linearizer.training import (
    PRESETS,
    ClassMoments,
    FlowMatchingTraining,
    LikelihoodTraining,
    MixtureLikelihoodTraining,
    train_classifier,
)
from linearizer.training.one_step_run import fit_flow

LATENT_NOISE, RANK, PAPER_STEPS = 0.3, 16, 100
ROBUST = 10.0
FIRST = 0.7
"""Share of the steps before classes."""
INTRO = "What bijections, losses and operators give when each is trained for the same time."
HEADINGS = {"g": "## g", "operators": "## The operator"}
HELD_OUT, SAMPLES, CLASSIFIER_STEPS = 1000, 10_000, 1500


class ThenClasses(MixtureLikelihoodTraining):
    """Trains g by the likelihood of one Gaussian first, and for the rest of the steps of classes.

    A fresh g has latents that one Gaussian for each class describes no better than one in all, and
    the moments of which change too fast to be averaged.
    """

    some: Images
    first: float

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """The loss of a batch."""
        change = int(self.first * self.steps)
        if self.global_step < change:
            images = batch[0] + self.std * torch.randn_like(batch[0])
            return LikelihoodTraining(self.g, self.steps).loss(images)
        if self.global_step == change:
            self.start(self.some.images, self.some.labels)
        return super().training_step(batch)


@torch.no_grad()
def reconstruction(g: lz.Bijection, x: Tensor) -> tuple[float, float]:
    """PSNR of `g⁻¹(g(x) + σ ε)` against x, and standard deviation of the latents."""
    torch.manual_seed(0)
    z = g(x)
    back = g.inverse(z + LATENT_NOISE * torch.randn_like(z))
    return psnr_db(back, x), float(z.std())


def compare_bijections(minutes: float, train: Images, held_out: Tensor) -> list[str]:
    """Our g against the paper's, at batches of 64 images of 32×32."""
    shape, config = train.shape, PRESETS["mnist"]

    def papers_losses(g: Callable[[], lz.Bijection]) -> Callable[[int], LightningModule]:
        def make(steps: int) -> LightningModule:
            data, noise = g(), g()
            with torch.no_grad():  # ActNorm starts from data
                data.initialize(train.images[:256])
                noise.initialize(torch.randn(256, *shape))
            family = lz.flows.LowRankHypernetwork(data.out_shape[0], rank=RANK)
            return FlowMatchingTraining(data, family, noise, steps=steps, latent_noise=LATENT_NOISE)

        return make

    def likelihood(weight: float) -> Callable[[int], LightningModule]:
        def make(steps: int) -> LightningModule:
            g = config.bijection(shape)
            return LikelihoodTraining(g, steps, weight_decay=0.0, reconstruction=weight)

        return make

    rows = [
        ("the paper's g, its losses", 1.0, papers_losses(lambda: papers_bijection(shape))),
        ("our g, the paper's losses", 1.0, papers_losses(lambda: config.bijection(shape))),
        ("our g, likelihood", config.noise, likelihood(0.0)),
        (f"our g, likelihood and {ROBUST:g} · reconstruction", 8.0, likelihood(ROBUST)),
    ]
    lines = [
        f"{HEADINGS['g']}, trained for {minutes:g} minutes each",
        "",
        made_by(f"--only g --minutes {minutes:g}"),
        "",
        f"MNIST padded to 32×32, batches of 64. Afterwards {len(held_out)} held-out images are "
        f"mapped to latents, noise of standard deviation {LATENT_NOISE} is added, and they are "
        "mapped back. The same noise means less to longer latents, so their deviation is given "
        "too. Likelihood alone does not keep g⁻¹ from growing fast where no latents were; a "
        "reconstruction term does.",
        "",
        "| | parameters of g | steps | images/s | ratio | reconstruction under latent noise "
        "| standard deviation of the latents |",
        "|---|---|---|---|---|---|---|",
    ]
    first = None
    for name, noise, make in rows:
        module, taken = train_for(minutes, train, 64, noise, make)
        g = module.g if isinstance(module, LikelihoodTraining) else module.g_data
        speed = 64 * taken.steps / taken.seconds
        first = first or speed
        quality, std = reconstruction(g, held_out)
        size = sum(p.numel() for p in g.parameters()) / 1e6
        lines.append(
            f"| {name} | {size:.2f} M | {taken.steps:,} | {speed:,.0f} | {speed / first:.1f} "
            f"| {quality:.1f} dB | {std:.2f} |"
        )
        print(lines[-1], flush=True)
    return [*lines, ""]


def compare_operators(minutes: float, train: Images, held_out: Images, pictures: Path) -> list[str]:
    """Closed form against the paper's trained operator, on the same g at 28×28."""
    config = PRESETS["mnist"]
    classifier = train_classifier(train, steps=CLASSIFIER_STEPS)
    accuracy = classifier.accuracy(held_out.images, held_out.labels)

    def joint(steps: int) -> LightningModule:
        g_data, g_noise = config.bijection(train.shape), config.bijection(train.shape)
        family = lz.flows.LowRankHypernetwork(g_data.out_shape[0], rank=RANK)
        return FlowMatchingTraining(g_data, family, g_noise, steps=steps, latent_noise=LATENT_NOISE)

    def alone(steps: int) -> LightningModule:
        return LikelihoodTraining(config.bijection(train.shape), steps, weight_decay=0.0)

    some = train.take(torch.randperm(len(train))[:20_000])
    std = train.noise_std(config.noise)

    def under_classes(steps: int) -> LightningModule:
        g = config.bijection(train.shape)
        moments = ClassMoments(len(some.labels.unique()), g.out_shape[0], window=len(some))
        module = ThenClasses(g, moments, steps, std=std, ood_weight=0.0)
        module.some, module.first = some, FIRST
        return module

    papers, papers_taken = train_for(minutes, train, config.batch_size, 1.0, joint)
    ours, ours_taken = train_for(minutes, train, config.batch_size, config.noise, alone)
    classed, classed_taken = train_for(minutes, train, config.batch_size, 0.0, under_classes)
    white = torch.randn(20_000, *train.shape, generator=torch.Generator().manual_seed(0))
    flows = [
        (
            f"the paper's, rank {RANK}: trained jointly by its losses",
            papers_taken,
            OneStepFlow(papers.g_data, papers.operator, papers.g_noise, steps=PAPER_STEPS),
        ),
        (
            "closed form, put into that same trained g",
            papers_taken,
            OneStepFlow.fit(
                papers.g_data,
                some.dequantized(1.0, 0).split(1000),
                g_noise=papers.g_noise,
                noise=white.split(1000),
            ),
        ),
        (
            "closed form, g trained alone by likelihood",
            ours_taken,
            fit_flow(ours.g, train, config, 0),
        ),
        (
            "one Gaussian a class, in closed form on that same g",
            ours_taken,
            ConditionalFlow.fit(ours.g, train.images, train.labels),
        ),
        (
            "one Gaussian a class, g trained under them",
            classed_taken,
            ConditionalFlow.fit(classed.g, train.images, train.labels),
        ),
    ]
    real = features(classifier, held_out.images)
    lines = [
        f"{HEADINGS['operators']}, after {minutes:g} minutes of training each",
        "",
        made_by(f"--only operators --operator-minutes {minutes:g}"),
        "",
        "The same architecture of g, that of the preset mnist, 28×28. Fréchet distance of "
        f"{SAMPLES} one-step samples to the {len(held_out):,} test images, in features of a "
        f"classifier trained on MNIST ({accuracy:.1%} right). Operators of one Gaussian a class "
        "are of images without noise. Training under them begins with one Gaussian for "
        f"{FIRST:.0%} of the steps.",
        "",
        "| operator | steps | Fréchet distance | ratio | confidence of the classifier |",
        "|---|---|---|---|---|",
    ]
    first = None
    for i, (name, taken, flow) in enumerate(flows):
        samples = flow.sample(SAMPLES, seed=0).clamp(-1, 1)
        seen = features(classifier, samples)
        distance = feature_distance(seen, real)
        first = first or distance
        with torch.no_grad():
            confidence = float(classifier.head(seen).softmax(1).amax(1).mean())
        lines.append(
            f"| {name} | {taken.steps:,} | {distance:.1f} | {distance / first:.2f} "
            f"| {confidence:.3f} |"
        )
        print(lines[-1], flush=True)
        save_mosaic(pictures / f"equal-time-{i}.png", list(samples[:36].split(12)))
    lines.append("")
    for i, (name, _, _) in enumerate(flows):
        lines += [
            f"{name.capitalize()}, not chosen:",
            "",
            f"![Samples](images/equal-time-{i}.png)",
            "",
        ]
    return lines


@torch.no_grad()
def features(classifier: Classifier, images: Tensor) -> Tensor:
    return torch.cat([classifier.features(batch) for batch in images.split(500)])


def padded(data: Images) -> Images:
    """28×28 to 32×32, with the black of the background."""
    wide = torch.nn.functional.pad(data.images, (2, 2, 2, 2), value=-1.0)
    return Images(wide, data.labels, data.quantization_levels)


def made_by(options: str) -> str:
    """The command that makes a part of the page."""
    return (
        f"Made by `python benchmarks/equal_time.py --data-dir MNIST_FOLDER {options}`: PyTorch "
        f"{torch.__version__}, one thread, {platform.machine()}, float32; minutes are of the "
        "processor."
    )


def kept(page: Path, heading: str) -> list[str]:
    """A part of the page as it was written before."""
    lines = page.read_text(encoding="utf-8").splitlines() if page.is_file() else []
    starts = [i for i, line in enumerate(lines) if line.startswith(heading + ",")]
    if not starts:
        raise SystemExit(f"expected {page} with {heading!r}, got none; run once without --only")
    rest = lines[starts[0] + 1 :]
    length = next((i for i, line in enumerate(rest) if line.startswith("## ")), len(rest))
    return [lines[starts[0]], *rest[:length]]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True, help="folder of the MNIST files")
    parser.add_argument("--minutes", type=float, default=5.0, help="of each g")
    parser.add_argument("--operator-minutes", type=float, default=10.0, help="of each operator")
    parser.add_argument("--only", choices=HEADINGS, help="make this part anew and keep the other")
    parser.add_argument("--out", type=Path, default=Path("docs"))
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    page = options.out / "equal-time.md"
    old = {key: kept(page, HEADINGS[key]) for key in HEADINGS if options.only not in (None, key)}
    (options.out / "images").mkdir(parents=True, exist_ok=True)
    train, held_out = (load_mnist(options.data_dir, train=part) for part in (True, False))
    some = padded(held_out).images[:HELD_OUT]
    make: dict[str, Callable[[], list[str]]] = {
        "g": lambda: compare_bijections(options.minutes, padded(train), some),
        "operators": lambda: compare_operators(
            options.operator_minutes, train, held_out, options.out / "images"
        ),
    }
    parts = [old[key] if key in old else make[key]() for key in HEADINGS]
    lines = ["# What equal training time buys", "", INTRO, "", *parts[0], *parts[1]]
    page.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
