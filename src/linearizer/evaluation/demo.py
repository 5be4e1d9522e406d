"""What the demo measures, and the threshold that it has to reach."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from linearizer.applications import ConditionalFlow, OneStepFlow
from linearizer.data import Images
from linearizer.evaluation.flow_table import (
    MIN_COLLAPSE_DB,
    MIN_INVERSION_DB,
    confidence_of_samples,
)
from linearizer.flows import METHODS, Method
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
MIN_AS_ASKED = 0.9


def measure(
    flow: ConditionalFlow,
    classifier: Classifier,
    train: Images,
    held_out: Images,
    noise_std: float,
    seed: int,
) -> dict[str, Any]:
    """All numbers of the report; what one class is measured by is the worst or all of them."""
    noise, other = flow.pooled.noise(2 * SAMPLES, seed + 1).split(SAMPLES)
    fs, fs64 = (
        [part.collapse() for part in components_of(each)]
        for each in (flow, copy.deepcopy(flow).double())
    )
    samples = of_each_class(flow, OneStepFlow.decode, noise)
    shown = samples.clamp(-1, 1)
    asked = torch.arange(len(fs)).repeat_interleave(SAMPLES // len(fs))
    images, everything = held_out.images, torch.cat([train.images, held_out.images])
    many = {method: in_many_steps(flow, noise, method) for method in METHODS}
    one = {method: in_one_step(flow, noise, method) for method in METHODS}
    translated = [(c, flow.translate(images, label)) for c, label in enumerate(flow.classes)]
    half = len(train) // 2
    return {
        "linearity_error_float32": _superposition(fs, noise, other),
        "linearity_error_float64": _superposition(fs64, noise.double(), other.double()),
        "round_trip_error_float32": flow.g.round_trip(images),
        "inversion_psnr_db": psnr_db(
            flow.decode(flow.encode(images), flow.classify(images)), images
        ),
        "one_step_vs_n_step_psnr_db": {m: psnr_db(one[m], many[m]) for m in METHODS},
        "exact_flow_vs_n_step_psnr_db": {m: psnr_db(samples, many[m]) for m in METHODS},
        "steps_of_n_step_samplers": N_STEPS,
        "condition_number": max(float(f.cond()) for f in fs),
        "bits_per_dimension_held_out": _bits(flow, held_out, noise_std, seed),
        "bits_per_dimension_train": _bits(flow, train, noise_std, seed),
        "classifier_accuracy_held_out": classifier.accuracy(images, held_out.labels),
        "classifier_confidence_samples": confidence(classifier, shown),
        "classifier_confidence_real": confidence(classifier, images),
        "frechet_distance_samples": frechet_distance(classifier, shown, everything),
        "frechet_distance_real_split": frechet_distance(
            classifier, train.images[:half], train.images[half:]
        ),
        "samples_as_asked": classifier.accuracy(shown, asked),
        "translations_as_asked": sum(
            classifier.accuracy(x.clamp(-1, 1), torch.full((len(x),), c)) for c, x in translated
        )
        / len(translated),
        "recognized_held_out": float(
            (torch.tensor(flow.classes)[flow.classify(images)] == held_out.labels).double().mean()
        ),
        "samples": SAMPLES,
        "held_out_digits": len(held_out),
        "noise_std": noise_std,
        "torch_threads": torch.get_num_threads(),
    }


def components_of(flow: ConditionalFlow) -> list[OneStepFlow]:
    """The one-step flows of its classes, in their order."""
    return [flow.at(label) for label in flow.classes]


def of_each_class(
    flow: ConditionalFlow, make: Callable[[OneStepFlow, Tensor], Tensor], noise: Tensor
) -> Tensor:
    """What the flow of each class makes of its equal share of the noise, in order of classes."""
    parts = components_of(flow)
    shares = noise.chunk(len(parts))
    return torch.cat([make(f, share) for f, share in zip(parts, shares, strict=True)])


def in_many_steps(flow: ConditionalFlow, noise: Tensor, method: Method) -> Tensor:
    """Samples of all classes by a sampler that takes its steps one after another."""
    return of_each_class(flow, lambda f, z: f.integrate(z, N_STEPS, method), noise)


def in_one_step(flow: ConditionalFlow, noise: Tensor, method: Method) -> Tensor:
    """The same by the operator that the steps multiply up to."""
    return of_each_class(flow, lambda f, z: f.collapse(N_STEPS, method)(z), noise)


def _bits(flow: ConditionalFlow, data: Images, noise_std: float, seed: int) -> float:
    """Bits a pixel of images with the Gaussian noise that the density is fitted with."""
    noise = torch.randn(data.images.shape, generator=torch.Generator().manual_seed(seed))
    return bits_per_dimension(flow, data.images + noise_std * noise, data.quantization_levels)


def _superposition(fs: list[Linearizer], u: Tensor, v: Tensor) -> float:
    """The largest superposition error of all f and their pseudo-inverses."""
    return max(max(linearity_error(f, u, v), linearity_error(f.pinv(), f(u), f(v))) for f in fs)


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
        as_asked("Samples judged as the class asked for", m["samples_as_asked"]),
        as_asked("Translations judged as the class asked for", m["translations_as_asked"]),
        Measurement(
            "Held-out digits recognized by p(class | x)", m["recognized_held_out"], form=".1%"
        ),
        Measurement("Bits a pixel, held out", m["bits_per_dimension_held_out"], form=".2f"),
        Measurement("Bits a pixel, train", m["bits_per_dimension_train"], form=".2f"),
        Measurement("Largest condition number of f", m["condition_number"], form=".2f"),
        Measurement("Training", m["training_steps"], unit=" steps", form=".0f"),
        Measurement("Training time", m["training_seconds"], unit=" s", form=".0f"),
    ]
    return [measurement.row for measurement in measured]


def as_asked(name: str, share: float) -> Measurement:
    """The share of pictures that the classifier takes for what was asked for."""
    return Measurement(name, share, MIN_AS_ASKED, "at_least", form=".1%")
