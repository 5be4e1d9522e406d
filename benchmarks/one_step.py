"""What one step costs: collapsing a sampler, sampling with it, and training g.

Each pair is measured alternately in one run, on whatever processor this is. Writes Markdown
tables with the command that made them.
"""

import argparse
import platform
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from papers_bijection import UNet, papers_bijection
from timing import seconds
from torch import Tensor, nn

import linearizer as lz
from linearizer.testing import perturb_
from linearizer.training import PRESETS, FlowMatchingTraining

BATCH, IMAGE = 64, (1, 32, 32)
STEPS, RANK, DENSE_STEPS = 100, 8, 3


# Measuring ---------------------------------------------------------------------------------


def peak_gigabytes() -> float:
    """The most memory that this process has held so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def once(call: Callable[[], object]) -> tuple[float, float]:
    """Seconds of one call, and by how many gigabytes it raised the peak."""
    before, started = peak_gigabytes(), time.perf_counter()
    call()
    return time.perf_counter() - started, peak_gigabytes() - before


@torch.no_grad()
def collapsing(n: int) -> list[str]:
    """Structured against dense."""
    torch.manual_seed(0)
    family = perturb_(lz.flows.LowRankHypernetwork(n, rank=RANK))
    end = family.end_time(STEPS)

    def structured(steps: int) -> lz.LinearOperator:
        return lz.flows.collapse(family, steps, end=end * steps / STEPS)

    def dense(steps: int) -> Tensor:
        h, product = end / STEPS, None
        for i in range(steps):
            L = family.velocity(i * h)
            step = (h * L.U) @ L.V.mT
            step.diagonal().add_(1 + h * L.scale)
            product = step if product is None else step @ product
        return product

    structured(2)
    quick, little = once(lambda: structured(STEPS))
    ours = structured(DENSE_STEPS)
    results: list[Tensor] = []
    slow, much = once(lambda: results.append(dense(DENSE_STEPS)))
    z = torch.randn(4, n)
    error = (ours(z) - z @ results[0].mT).norm() / ours(z).norm()
    total = slow / (DENSE_STEPS - 1) * (STEPS - 1)
    return [
        f"## Collapsing {STEPS} Euler steps of rank {RANK}, n = {n:,}",
        "",
        f"The dense way needs {STEPS - 1} products of n × n matrices; its time is extrapolated "
        f"from {DENSE_STEPS} steps, which took {slow:.1f} s. The two agree on these to "
        f"{float(error):.0e}.",
        "",
        "| way | seconds | ratio | raised the peak of memory by, GB |",
        "|---|---|---|---|",
        f"| identity plus low rank | {quick:.2f} | 1 | {little:.2f} |",
        f"| dense matrices | {total:,.0f} | {total / quick:,.0f} | {much:.2f} |",
        "",
    ]


@torch.no_grad()
def sampling(rounds: int) -> list[str]:
    """One step against its parts, and against many."""
    torch.manual_seed(0)
    g = lz.image_bijection(IMAGE)
    n = g.out_shape[0]
    closed = lz.OneStepFlow.fit(g, torch.randn(4 * n, *IMAGE).split(512))
    hyper = perturb_(lz.flows.LowRankHypernetwork(n, rank=RANK))
    lines = [
        f"## Sampling {BATCH} images of {'×'.join(map(str, IMAGE))}",
        "",
        f"The collapsed sampler of {STEPS} steps, its whole against one inverse pass of g and one "
        f"product with the operator; and the operator's part alone, {STEPS} Euler steps against "
        "the one that they collapse to.",
        "",
        "| operator | one-step sample, ms | g⁻¹ and one product, ms | ratio "
        "| 100 steps of A, ms | one step of A, ms | ratio |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, flow in (
        ("closed form", lz.OneStepFlow(closed.g_data, closed.family, steps=STEPS)),
        (f"paper, rank {RANK}", lz.OneStepFlow(closed.g_data, hyper, steps=STEPS)),
    ):
        one, family = flow.collapse(), flow.operator
        B, end, noise = one.operator, family.end_time(STEPS), flow.noise(BATCH, seed=0)
        whole, parts = seconds(
            lambda: one(noise),  # noqa: B023
            lambda: flow.g_data.inverse(B(noise)),  # noqa: B023
            rounds=rounds,
        )
        many, single = seconds(
            lambda: lz.flows.integrate(family.velocity, noise, STEPS, end=end),  # noqa: B023
            lambda: B(noise),  # noqa: B023
            rounds=rounds,
        )
        lines.append(
            f"| {name} | {1e3 * whole:.2f} | {1e3 * parts:.2f} | {whole / parts:.2f} "
            f"| {1e3 * many:.1f} | {1e3 * single:.2f} | {many / single:.0f} |"
        )
    return [*lines, ""]


def training(rounds: int) -> list[str]:
    """Our g against the paper's."""
    torch.manual_seed(0)
    x = torch.rand(BATCH, *IMAGE) * 2 - 1

    def step(module: nn.Module, loss: Callable[[], Tensor]) -> Callable[[], None]:
        optimizer = torch.optim.Adam(module.parameters())

        def call() -> None:
            optimizer.zero_grad()
            loss().backward()
            optimizer.step()

        return call

    def likelihood(g: lz.Bijection) -> Callable[[], None]:
        def loss() -> Tensor:
            z, log_det = g.forward_and_log_det(x)
            return (0.5 * z.square().sum(-1) - log_det).mean() / z.shape[-1]

        return step(g, loss)

    def papers_losses(g: lz.Bijection) -> Callable[[], None]:
        family = lz.flows.LowRankHypernetwork(g.out_shape[0], rank=RANK)
        module = FlowMatchingTraining(g, family, g, steps=1000)
        return step(module, lambda: module.losses(x).total())

    theirs, ours = papers_bijection(IMAGE), PRESETS["mnist"].bijection(IMAGE)
    rows = [
        ("the paper's, its own losses", theirs, papers_losses(theirs)),
        ("the paper's, likelihood", theirs, likelihood(theirs)),
        ("ours, the paper's losses", ours, papers_losses(ours)),
        ("ours, likelihood", ours, likelihood(ours)),
    ]
    times = seconds(*(call for _, _, call in rows), rounds=rounds)
    lines = [
        f"## Training g on {'×'.join(map(str, IMAGE))}, batches of {BATCH}",
        "",
        "Forward, loss, backward and Adam. The paper's g is a 2×2 squeeze and four blocks of "
        "ActNorm, two affine couplings whose conditioners are U-Nets of two resolutions and "
        f"{UNet().width} channels (log-scales bounded at 5), and a 1×1 convolution. Its losses "
        "pass g and its inverse twice each; ratios are to the same loss on the paper's g. Ours is "
        "the `image_bijection` of the preset mnist. "
        "[What they reach in equal time](equal-time.md).",
        "",
        "| g, loss | parameters | images/s | ratio |",
        "|---|---|---|---|",
    ]
    for i, ((name, g, _), taken) in enumerate(zip(rows, times, strict=True)):
        count = sum(p.numel() for p in g.parameters()) / 1e6
        lines.append(
            f"| {name} | {count:.2f} M | {BATCH / taken:,.0f} | {times[i % 2] / taken:.1f} |"
        )
    return [
        *lines,
        "",
        f"Each trained its own way, ours by likelihood and the paper's by its losses: "
        f"{times[0] / times[3]:.0f} times the images a second.",
        "",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="Markdown file; printed if not given")
    parser.add_argument("--n", type=int, default=12288, help="length of the vectors to collapse")
    parser.add_argument("--rounds", type=int, default=10, help="repetitions of each timing")
    parser.add_argument("--threads", type=int, default=1, help="threads of PyTorch")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    command = "python benchmarks/one_step.py" + "".join(
        f" --{name} {getattr(arguments, name)}"
        for name in ("n", "rounds", "threads")
        if getattr(arguments, name) != parser.get_default(name)
    )
    if arguments.out:
        command += f" --out docs/{arguments.out.name}"
    lines = [
        "# What one step costs",
        "",
        "Seconds and memory of one step beside those of the hundred that it stands for.",
        "",
        f"Made by `{command}`: PyTorch {torch.__version__}, {arguments.threads} "
        f"thread{'s' * (arguments.threads > 1)}, {platform.machine()}, float32.",
        "",
    ]
    for part in (
        lambda: collapsing(arguments.n),
        lambda: sampling(arguments.rounds),
        lambda: training(arguments.rounds),
    ):
        lines += part()
        print("\n".join(lines[-6:]), flush=True)
    text = "\n".join(lines)
    if arguments.out:
        arguments.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
