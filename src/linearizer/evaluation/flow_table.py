"""The evaluation of a flow as Markdown, with the paper's numbers and the thresholds beside ours."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from linearizer.display.tables import Page, Table
from linearizer.errors import RangeError
from linearizer.evaluation.classes_table import class_tables
from linearizer.evaluation.likeness import LPIPS_MISSING, number, printed
from linearizer.measurement import Measurement, decibels

MIN_INVERSION_DB, MAX_INVERSION_LPIPS = 60.0, 5e-4
MIN_COLLAPSE_DB, MAX_COLLAPSE_LPIPS = 80.0, 1e-4
FRECHET_TOLERANCE = 0.01

Paper = Literal["mnist", "celeba"]


@dataclass(frozen=True)
class _Published:
    """What arXiv:2510.08570 reports of a data set: (PSNR in dB, LPIPS)."""

    name: str
    inversion: tuple[float, float]
    one_step: tuple[float, float]


PUBLISHED: dict[str, _Published] = {
    "mnist": _Published("MNIST", (31.6, 0.008), (32.4, 0.006)),
    "celeba": _Published("CelebA", (33.4, 0.006), (32.9, 0.007)),
}


def evaluation_page(results: dict[str, Any], paper: Paper | None = None) -> Page:
    """The results as a table with thresholds and the paper's numbers, and the rest.

    Args:
        results: What `evaluate_flow` returned, or the same read back from JSON.
        paper: The data set of arXiv:2510.08570 to compare with.

    Raises:
        RangeError: If the paper has no such data set.
    """
    if paper is not None and paper not in PUBLISHED:
        raise RangeError(f"expected one of {', '.join(PUBLISHED)} or None, got '{paper}'")
    theirs = None if paper is None else PUBLISHED[paper]
    name = "" if theirs is None else f" ({theirs.name})"
    return [
        Table(
            ["what", "ours", f"paper{name}", "threshold", ""],
            [
                (name, ours, published, threshold, verdict)
                for measured, published in _table(results, theirs)
                for name, ours, threshold, verdict in [measured.row]
            ],
        ),
        *class_tables(results, paper),
        _samples(results),
        Table(["what else", "measured"], list(_others(results))),
        "\n".join(f"- {note}" for note in _footnotes(results, theirs)),
    ]


def _table(r: dict[str, Any], paper: _Published | None) -> Iterable[tuple[Measurement, str]]:
    """What has a threshold, and the paper's number beside each."""
    steps = r["settings"]["steps"]
    inversion, one_step = (None, None) if paper is None else (paper.inversion, paper.one_step)
    pairs = {"Inversion": (r["inversion"], inversion)}
    for method, pair in r["one_step_vs_n_step"].items():
        pairs[f"One step against {steps} {method} steps"] = (pair, one_step)
    for what, (pair, published) in pairs.items():
        inverts = what == "Inversion"
        psnr, lpips = ("-", "-") if published is None else _texts(published)
        threshold = MIN_INVERSION_DB if inverts else MIN_COLLAPSE_DB
        yield decibels(f"{what}, PSNR", number(pair["psnr_db"]), threshold), psnr
        if "lpips" in r["networks"]:
            largest = MAX_INVERSION_LPIPS if inverts else MAX_COLLAPSE_LPIPS
            yield Measurement(f"{what}, LPIPS", number(pair["lpips"]), largest, form=".2g"), lpips
    for method, ratio in r["frechet_distance"]["ratio"].items():
        what = f"Fréchet distance of one step / of {steps} {method} steps"
        yield (
            frechet_ratio(what, number(ratio)),
            "-" if paper is None else "comparable",
        )


def frechet_ratio(name: str, ratio: float) -> Measurement:
    """The ratio of two Fréchet distances that should be equal."""
    return Measurement(name, ratio, FRECHET_TOLERANCE, "within", form=".4f")


def confidence_of_samples(name: str, confidence: float, of_real: float) -> Measurement:
    """How sure a classifier is of samples, beside nine tenths of how sure it is of real images."""
    return Measurement(name, confidence, 0.9 * of_real, "at_least", form=".3f", note="0.9 of real")


def _samples(r: dict[str, Any]) -> Table:
    """Samples and training images against all held-out images."""
    names = {
        "samples": "samples",
        "denoised": f"samples, denoised (σ = {r['settings']['noise_std'] or 0:.3g})",
        "train_images": "training images",
    }
    held_out = f"against {r['images']['held_out']:,} held-out images"
    return Table(
        [held_out, "images", "Fréchet distance", "KID", "classifier's confidence"],
        [
            (
                names[name],
                f"{row['count']:,}",
                printed(row["frechet_distance"], ".2f"),
                printed(row["kernel_distance"], ".4f"),
                printed(row["confidence"], ".3f"),
            )
            for name, row in r["samples"].items()
        ],
    )


def _others(r: dict[str, Any]) -> Iterable[tuple[str, str]]:
    settings, distance, classifier = r["settings"], r["frechet_distance"], r["classifier"]
    steps = settings["steps"]
    yield (
        f"Fréchet distances in this table, of {r['images']['samples']:,} samples",
        "as in earlier releases, kept for one more",
    )
    yield (
        f"Fréchet distance of samples in one step ({settings['own_step']})",
        printed(distance["own_step"], ".2f"),
    )
    for method in distance["one_step"]:
        one, many = distance["one_step"][method], distance["n_step"][method]
        yield (
            f"Fréchet distance of one step, of {steps} {method} steps",
            f"{printed(one, '.2f')}, {printed(many, '.2f')}",
        )
    yield "The same of two halves of the held-out images", printed(distance["real_split"], ".2f")
    yield "The same of training images", printed(distance["train_images"], ".2f")
    yield (
        f"PSNR of one step ({settings['own_step']}) against {steps} steps",
        ", ".join(
            f"{method} {printed(value, '.1f')} dB"
            for method, value in r["own_step_vs_n_step_psnr_db"].items()
        ),
    )
    confidence = (classifier["confidence_samples"], classifier["confidence_real"])
    yield (
        "Classifier's confidence: samples, real",
        ", ".join(printed(value, ".3f") for value in confidence),
    )
    yield "Classifier's accuracy, held out", printed(classifier["accuracy_held_out"], ".2%")
    yield "Classes of samples", ", ".join(map(str, classifier["classes_of_samples"]))
    bits = r["bits_per_dimension"]
    kinds = ("held_out", "train", "upside_down", "negative", "uniform_noise")
    yield (
        "Bits a dimension: held out, train, held out upside down, as negatives, uniform noise",
        ", ".join(printed(bits[kind], ".4g") for kind in kinds),
    )


def _footnotes(r: dict[str, Any], paper: _Published | None) -> Iterable[str]:
    images, seeds, settings = r["images"], r["seeds"], r["settings"]
    yield (
        f"{images['samples']} samples, {images['inverted']} held-out images inverted, Fréchet "
        f"distances to {images['held_out']} held-out images; bits of {images['inverted']} "
        f"held-out, {images['train_for_bits_and_frechet']} training and {images['samples']} noise "
        f"images under {settings['noise_of_bits']}."
    )
    yield (
        "KID is the kernel distance (maximum mean discrepancy, squared) in the features of the "
        "Fréchet distance; about zero for two sets of one distribution."
    )
    yield (
        f"Seeds: images {seeds['images']}, noise {seeds['noise']}, uniform noise "
        f"{seeds['uniform_noise']}, the samples of the table of samples {seeds['samples']}. "
        f"{settings['dtype']} on {settings['device']}."
    )
    yield from (f"{metric}: {network}." for metric, network in r["networks"].items())
    if "lpips" not in r["networks"]:
        yield LPIPS_MISSING
    yield from r["notes"]
    if paper is not None:
        yield (
            "The paper (arXiv:2510.08570) gives one number for one step against 100 steps, "
            "printed here beside every method; its LPIPS need not be of the same network."
        )


def _texts(published: tuple[float, float]) -> tuple[str, str]:
    return f"{published[0]:.1f} dB", f"{published[1]:.3f}"
