"""The part of a flow's evaluation that is of its classes, with the thresholds beside it."""

from collections.abc import Iterable
from typing import Any

from linearizer.display.tables import Table
from linearizer.evaluation.likeness import number
from linearizer.measurement import Measurement
from linearizer.verification import EXACT

MAX_FRECHET, MAX_FRECHET_DENOISED = 12.0, 8.0
MIN_CONFIDENCE, MIN_AS_ASKED = 0.96, 0.95
MAX_FACTOR = 1.3
MIN_POSTERIOR = 0.97
MIN_TRANSLATED, MIN_CORRELATION = 0.9, 0.7


def class_tables(results: dict[str, Any], paper: str | None) -> list[Table]:
    """A table of the classes; none for a flow without.

    Laws have thresholds on all data, the other numbers on MNIST.

    Args:
        results: What `evaluate_flow` returned.
        paper: The data set of the paper that it is of.
    """
    if "classes" not in results:
        return []
    rows = [*(_of_data(results) if paper == "mnist" else _bare(_of_data(results)))]
    measured = [*rows, *_laws(results["classes"]["between"])]
    return [Table(["classes", "measured", "threshold", ""], [row.row for row in measured])]


def _bare(rows: Iterable[Measurement]) -> Iterable[Measurement]:
    """The numbers without thresholds."""
    return (Measurement(row.name, row.value, form=row.form) for row in rows)


def _of_data(r: dict[str, Any]) -> Iterable[Measurement]:
    samples, found = r["samples"], r["classes"].get("of_data")
    for name, most in (("samples", MAX_FRECHET), ("denoised", MAX_FRECHET_DENOISED)):
        if name in samples:
            what = "denoised samples" if name == "denoised" else name
            distance = number(samples[name]["frechet_distance"])
            what = f"Fréchet distance of {samples[name]['count']:,} {what}"
            yield Measurement(what, distance, most, form=".2f")
    yield _at_least(
        "Classifier's confidence of samples", samples["samples"]["confidence"], MIN_CONFIDENCE
    )
    if found is None:
        return
    yield _at_least("Class asked for = class judged", found["asked_is_judged"], MIN_AS_ASKED)
    what = "Largest factor between shares of a class, samples and held out"
    yield Measurement(what, number(found["largest_factor"]), MAX_FACTOR, form=".3f")
    posterior = found["posterior_accuracy"]
    yield _at_least("Posterior as a classifier, held out", posterior["held_out"], MIN_POSTERIOR)
    if "held_out_under_noise" in posterior:
        what = f"The same under noise, σ = {r['settings']['noise_std']:.3g}"
        yield Measurement(what, number(posterior["held_out_under_noise"]), form=".3f")
    for kind, row in found["translation"].items():
        what = f"Translation by {kind}"
        yield _at_least(f"{what}: class judged as asked", row["judged_as_asked"], MIN_TRANSLATED)
        for name in ("slant", "stroke_width"):
            if name in row:
                kept = f"{what}: correlation of {name.replace('_', ' ')} before and after"
                yield _at_least(kept, row[name], MIN_CORRELATION)


def _at_least(name: str, value: float | None, least: float) -> Measurement:
    return Measurement(name, number(value), least, "at_least", form=".3f")


def _laws(errors: dict[str, Any]) -> Iterable[Measurement]:
    names = {
        "composition": "f_bc f_ab = f_ac by noise",
        "noise": "f_ba f_ab = id by noise",
        "transport": "f_ba f_ab = id by transport",
    }
    for name, law in names.items():
        what = f"{law}, largest relative error, float64"
        yield Measurement(what, number(errors[name]), EXACT, form=".1e")
