"""Throughput of image bijections: layouts of matrix products against convolutions.

Trains each for a few steps by maximum likelihood and counts images a second, all in one run,
on whatever processor this is. Writes a Markdown table with the command that made it.
"""

import argparse
import platform
from pathlib import Path

import torch
from torch.utils.benchmark import Timer

import linearizer as lz

BATCH = 128


def convolutional(shape: tuple[int, int, int], depth: int, width: int) -> lz.Bijection:
    """Couplings with small convolutional networks on the squeezed image, for comparison."""
    squeeze = lz.Squeeze(shape)
    factory = lz.conditioners.ConvNet(width=width)
    layers: list[lz.Bijection] = [squeeze]
    for _ in range(depth):
        mixing = lz.Permute(squeeze.out_shape)
        layers += [mixing, lz.AffineCoupling(squeeze.out_shape, factory)]
    return lz.Chain(*layers, lz.Flatten(squeeze.out_shape))


def images_per_second(g: lz.Bijection, seconds: float) -> tuple[float, float]:
    """Training steps (forward, backward, Adam) and one-step sampling (inverse), in images/s."""
    x = torch.rand(BATCH, *g.in_shape) * 2 - 1
    optimizer = torch.optim.Adam(g.parameters())

    def step() -> None:
        z, log_det = g.forward_and_log_det(x)
        optimizer.zero_grad()
        (0.5 * z.square().sum(-1) - log_det).mean().backward()
        optimizer.step()

    @torch.no_grad()
    def sample() -> None:
        g.inverse(torch.randn(BATCH, *g.out_shape))

    return tuple(
        BATCH
        / Timer("call()", globals={"call": call}, num_threads=torch.get_num_threads())
        .blocked_autorange(min_run_time=seconds)
        .median
        for call in (step, sample)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="Markdown file; printed if not given")
    parser.add_argument("--seconds", type=float, default=3.0, help="time for each measurement")
    arguments = parser.parse_args()
    lines = [
        "# Throughput of image bijections",
        "",
        "How many images a second each layout of g trains on and samples, to choose one by.",
        "",
        f"Made by `make bench`: PyTorch {torch.__version__}, {torch.get_num_threads()} threads, "
        f"{platform.machine()}, batches of {BATCH}, depth 12. Training is forward, "
        "log-determinant, backward and Adam; sampling is the inverse. Ratios are to the "
        "convolutional couplings on the same images, measured in the same run.",
        "",
        "| images | layout | parameters | training images/s | ratio | sampling images/s | ratio |",
        "|---|---|---|---|---|---|---|",
    ]
    for shape in ((1, 8, 8), (1, 28, 28), (3, 32, 32)):
        maps = {
            "convolutions, width 64": convolutional(shape, 12, 64),
            "`dense`, width 768": lz.image_bijection(shape, layout="dense"),
            "`dense`, width 256": lz.image_bijection(shape, layout="dense", width=256),
            "`patch`, width 64": lz.image_bijection(shape, layout="patch"),
        }
        base = None
        for name, g in maps.items():
            train, sample = images_per_second(g, arguments.seconds)
            base = base or (train, sample)
            count = sum(p.numel() for p in g.parameters()) / 1e6
            lines.append(
                f"| {'×'.join(map(str, shape))} | {name} | {count:.1f} M | {train:,.0f} | "
                f"{train / base[0]:.1f} | {sample:,.0f} | {sample / base[1]:.1f} |"
            )
            print(lines[-1], flush=True)
    text = "\n".join(lines) + "\n"
    if arguments.out:
        arguments.out.write_text(text, encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
