"""What the demo measures, and the threshold that it has to reach."""

import copy
from typing import Any

import torch
from torch import Tensor

from linearizer.applications import OneStepFlow
from linearizer.data import Images
from linearizer.display.report import Row
from linearizer.flows import METHODS
from linearizer.linearizer import Linearizer
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
    images, everything = held_out.images, torch.cat([train.images, held_out.images])
    many = {method: flow.integrate(noise, N_STEPS, method) for method in METHODS}
    half = len(train) // 2
    return {
        "linearity_error_float32": _linearity(f, noise, other),
        "linearity_error_float64": _linearity(f64, noise.double(), other.double()),
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
        "classifier_confidence_samples": confidence(classifier, samples.clamp(-1, 1)),
        "classifier_confidence_real": confidence(classifier, images),
        "frechet_distance_samples": frechet_distance(classifier, samples.clamp(-1, 1), everything),
        "frechet_distance_real_split": frechet_distance(
            classifier, train.images[:half], train.images[half:]
        ),
        "classes_of_samples": torch.bincount(
            classifier(samples.clamp(-1, 1)).argmax(1), minlength=10
        ).tolist(),
        "samples": SAMPLES,
        "held_out_digits": len(held_out),
        "torch_threads": torch.get_num_threads(),
    }


def _linearity(f: Linearizer, u: Tensor, v: Tensor) -> float:
    """The superposition error of f or of its pseudo-inverse, whichever is larger."""
    return max(linearity_error(f, u, v), linearity_error(f.pinv(), f(u), f(v)))


def report_rows(m: dict[str, Any]) -> list[Row]:
    """The rows of the report's table from what `measure` and the training returned."""
    collapse, share = m["one_step_vs_n_step_psnr_db"], m["classifier_confidence_samples"]
    real = m["classifier_confidence_real"]
    rows = [
        _at_most("Superposition error of f and f⁺, float64", m["linearity_error_float64"], 1e-10),
        _at_most("Superposition error of f and f⁺, float32", m["linearity_error_float32"], 1e-4),
        _at_most("Round trip |g⁻¹(g(x)) - x|, float32", m["round_trip_error_float32"], 1e-4),
        _at_least("Inversion of held-out digits", m["inversion_psnr_db"], 60, "dB"),
        *(
            _at_least(f"One step against {N_STEPS} {name} steps", collapse[name], 80, "dB")
            for name in METHODS
        ),
        Row(
            "Classifier's confidence: samples, real",
            f"{share:.3f}, {real:.3f}",
            "at least 0.9 of real",
            share >= 0.9 * real,
        ),
    ]
    plain = {
        "Fréchet distance of samples": f"{m['frechet_distance_samples']:.2f}",
        "Fréchet distance of two halves of the real": f"{m['frechet_distance_real_split']:.2f}",
        "Accuracy of the classifier, held out": f"{m['classifier_accuracy_held_out']:.1%}",
        "Bits a pixel, held out and train": (
            f"{m['bits_per_dimension_held_out']:.2f}, {m['bits_per_dimension_train']:.2f}"
        ),
        "Condition number of f": f"{m['condition_number']:.2f}",
        "Training": f"{m['training_steps']} steps, {m['training_seconds']:.0f} s",
    }
    return rows + [Row(name, value, "", None) for name, value in plain.items()]


def _at_most(name: str, value: float, threshold: float) -> Row:
    return Row(name, f"{value:.1e}", f"≤ {threshold:.0e}", value <= threshold)


def _at_least(name: str, value: float, threshold: float, unit: str) -> Row:
    return Row(name, f"{value:.1f} {unit}", f"≥ {threshold:g} {unit}", value >= threshold)
