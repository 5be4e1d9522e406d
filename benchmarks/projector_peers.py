"""Our projector, the paper's and a plain idempotent network, each trained equally long in one run.

Writes a table in Markdown, for `projector.py` to put into its page.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
from ign import IGN, IGNTraining
from timing import Taken, train_for
from torch import Tensor, nn

import linearizer as lz
from linearizer.applications import IdempotentGenerator
from linearizer.data import Images, open_data
from linearizer.evaluation.likeness import BATCH
from linearizer.laws import idempotence_error
from linearizer.metrics import confidence, psnr_db
from linearizer.training import (
    PRESETS,
    LearnedProjectionTraining,
    PrincipalProjectionTraining,
    train_classifier,
)
from linearizer.training.one_step_run import STATISTICS
from linearizer.training.projector_run import fit_projector

RANK, COUNT, CLASSIFIER_STEPS = 64, 1000, 1500
CONFIG = PRESETS["mnist"].with_stable_inverse()


@torch.no_grad()
def measure(
    f: Callable[[Tensor], Tensor], held_out: Tensor, classifier: nn.Module, samples: Tensor
) -> list[str]:
    """Idempotence on data and noise, reconstruction, and the confidence of samples."""
    noise = torch.randn(held_out.shape, generator=torch.Generator().manual_seed(0))
    projected = _apply(f, noise).clamp(-1, 1)
    return [
        *(f"{idempotence_error(f, x, BATCH):.1e}" for x in (held_out, noise)),
        f"{psnr_db(_apply(f, held_out).clamp(-1, 1), held_out):.2f} dB",
        f"{confidence(classifier, projected):.3f}",
        f"{confidence(classifier, samples.clamp(-1, 1)):.3f}" if len(samples) else "none",
    ]


def _apply(f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    return torch.cat([f(batch) for batch in x.split(BATCH)])


def peers(train: Images, held_out: Tensor, classifier: nn.Module, minutes: float) -> list[str]:
    """All trained from nothing, for the same time, at one rank."""
    rows: list[tuple[str, Taken, list[str]]] = []
    shape = train.shape
    some = train.images[:STATISTICS].split(1000)
    noise = CONFIG.noise * 2 / (train.quantization_levels - 1)

    def ours(steps: int) -> PrincipalProjectionTraining:
        module = PrincipalProjectionTraining(CONFIG.bijection(shape), steps, noise=noise)
        module.initialize(train.images[:2000])
        return module

    def paper(steps: int) -> LearnedProjectionTraining:
        mask = lz.operators.BinaryMask(torch.Size(shape).numel(), RANK)
        return LearnedProjectionTraining(
            CONFIG.bijection(shape), lz.operators.LearnedDiagonalProjection(mask), steps
        )

    module, taken = train_for(minutes, train, CONFIG.batch_size, 0.0, ours)
    f = fit_projector(module.g, train, RANK, seed=0)
    rows.append(
        (
            "ours, from nothing",
            taken,
            measure(f.project, held_out, classifier, f.generate(COUNT, seed=0)),
        )
    )
    module, taken = train_for(minutes, train, CONFIG.batch_size, 0.0, paper)
    f = IdempotentGenerator.fit(module.g, some, projection=module.projection.frozen())
    rows.append(
        (
            "the paper's recipe, straight-through diagonal",
            taken,
            measure(f.project, held_out, classifier, f.generate(COUNT, seed=0)),
        )
    )
    module, taken = train_for(
        minutes, train, CONFIG.batch_size, 0.0, lambda n: IGNTraining(IGN(), n)
    )
    rows.append(("plain IGN", taken, measure(module.f, held_out, classifier, held_out[:0])))
    pixels = IdempotentGenerator.fit(lz.Flatten(shape), some, rank=RANK)
    rows.append(
        (
            "components of pixels",
            Taken(0, 0.0),
            measure(pixels.project, held_out, classifier, pixels.generate(COUNT, seed=0)),
        )
    )
    return [
        f"## Peers, {minutes:g} minutes each, in one run, rank {RANK}",
        "",
        "| what | steps | idempotence error, data | noise | held-out images, PSNR "
        "| confidence of projected noise | of samples of the range |",
        "|---|---|---|---|---|---|---|",
        *(f"| {name} | {taken.steps:,} | {' | '.join(row)} |" for name, taken, row in rows),
        "",
        "Errors are `max abs of f(f(x)) - f(x)` over `max abs of x`, in float32. The plain IGN "
        "(arXiv:2311.01462) is a convolutional autoencoder of about the paper's shape, at our "
        "size; its range has no basis to draw from. All train in float32 with batches of one size.",
        "",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True, help="where MNIST lies")
    parser.add_argument("--minutes", type=float, default=5.0, help="of each peer")
    parser.add_argument("--out", type=Path, default=Path("runs/projector-peers.md"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    train, held_out = open_data("mnist", arguments.data_dir)
    classifier = train_classifier(train, steps=CLASSIFIER_STEPS)
    lines = peers(train, held_out.images[:COUNT], classifier, arguments.minutes)
    command = (
        f"python benchmarks/projector_peers.py --data-dir FOLDER --minutes {arguments.minutes:g}"
    )
    text = "\n".join([*lines, f"Made by `{command}`.", ""])
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
