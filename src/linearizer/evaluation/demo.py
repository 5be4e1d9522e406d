"""What the demo measures, and the threshold that it has to reach."""

import copy
from typing import Any

import torch
from torch import Tensor

from linearizer.applications import OneStepFlow
from linearizer.data import Images
from linearizer.evaluation.flow_table import (
    MIN_COLLAPSE_DB,
    MIN_INVERSION_DB,
    confidence_of_samples,
)
from linearizer.flows import METHODS
from linearizer.linearizer import Linearizer
from linearizer.measurement import Measurement, decibels
from linearizer.metrics import (
    Classifier,
    bits_per_dimension,
    confidence,
    frechet_distance,
    linearity_error,
    psnr_db,
)

SAMPLES = 1000
N_STEPS = 100


def measure(
    flow: OneStepFlow,
    classifier: Classifier,
    train: Images,
    held_out: Images,
    noise_width: float,
    seed: int,
) -> dict[str, Any]:
    """All numbers of the report."""
    f, f64 = flow.collapse(), copy.deepcopy(flow).double().collapse()
    noise, other = flow.noise(2 * SAMPLES, seed + 1).split(SAMPLES)
    samples = f(noise)
    shown = samples.clamp(-1, 1)
    images, everything = held_out.images, torch.cat([train.images, held_out.images])
    many = {method: flow.integrate(noise, N_STEPS, method) for method in METHODS}
    half = len(train) // 2
    return {
        "linearity_error_float32": _superposition(f, noise, other),
        "linearity_error_float64": _superposition(f64, noise.double(), other.double()),
        "round_trip_error_float32": flow.g_data.round_trip(images),
        "inversion_psnr_db": psnr_db(flow.decode(flow.encode(images)), images),
        "one_step_vs_n_step_psnr_db": {
            method: psnr_db(flow.collapse(N_STEPS, method)(noise), many[method])
            for method in METHODS
        },
        "exact_flow_vs_n_step_psnr_db": {m: psnr_db(samples, many[m]) for m in METHODS},
        "steps_of_n_step_samplers": N_STEPS,
        "condition_number": float(f.cond()),
        "bits_per_dimension_held_out": bits_per_dimension(
            flow, held_out.dequantized(noise_width, seed), train.quantization_levels
        ),
        "bits_per_dimension_train": bits_per_dimension(
            flow, train.dequantized(noise_width, seed), train.quantization_levels
        ),
        "classifier_accuracy_held_out": classifier.accuracy(images, held_out.labels),
        "classifier_confidence_samples": confidence(classifier, shown),
        "classifier_confidence_real": confidence(classifier, images),
        "frechet_distance_samples": frechet_distance(classifier, shown, everything),
        "frechet_distance_real_split": frechet_distance(
            classifier, train.images[:half], train.images[half:]
        ),
        "classes_of_samples": torch.bincount(classifier(shown).argmax(1), minlength=10).tolist(),
        "samples": SAMPLES,
        "held_out_digits": len(held_out),
        "torch_threads": torch.get_num_threads(),
    }


def _superposition(f: Linearizer, u: Tensor, v: Tensor) -> float:
    """The superposition error of f or of its pseudo-inverse, whichever is larger."""
    return max(linearity_error(f, u, v), linearity_error(f.pinv(), f(u), f(v)))


def report_rows(m: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """The rows of the report's table from what `measure` and the training returned."""
    collapse, real = m["one_step_vs_n_step_psnr_db"], m["classifier_confidence_real"]
    errors = {
        "Superposition error of f and f⁺, float64": (m["linearity_error_float64"], 1e-10),
        "Superposition error of f and f⁺, float32": (m["linearity_error_float32"], 1e-4),
        "Round trip |g⁻¹(g(x)) - x|, float32": (m["round_trip_error_float32"], 1e-4),
    }
    measured = [
        *(Measurement(name, error, most, form=".1e") for name, (error, most) in errors.items()),
        decibels("Inversion of held-out digits", m["inversion_psnr_db"], MIN_INVERSION_DB),
        *(
            decibels(f"One step against {N_STEPS} {name} steps", collapse[name], MIN_COLLAPSE_DB)
            for name in METHODS
        ),
        confidence_of_samples(
            "Classifier's confidence of samples", m["classifier_confidence_samples"], real
        ),
        Measurement("Classifier's confidence of real digits", real, form=".3f"),
        Measurement("Fréchet distance of samples", m["frechet_distance_samples"], form=".2f"),
        Measurement(
            "Fréchet distance of two halves of the real",
            m["frechet_distance_real_split"],
            form=".2f",
        ),
        Measurement(
            "Accuracy of the classifier, held out", m["classifier_accuracy_held_out"], form=".1%"
        ),
        Measurement("Bits a pixel, held out", m["bits_per_dimension_held_out"], form=".2f"),
        Measurement("Bits a pixel, train", m["bits_per_dimension_train"], form=".2f"),
        Measurement("Condition number of f", m["condition_number"], form=".2f"),
        Measurement("Training", m["training_steps"], unit=" steps", form=".0f"),
        Measurement("Training time", m["training_seconds"], unit=" s", form=".0f"),
    ]
    return [measurement.row for measurement in measured]
