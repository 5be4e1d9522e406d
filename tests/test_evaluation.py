"""The evaluation of a flow: all numbers are there, they are right, and JSON can hold them."""

import copy
import json

import pytest
import torch

import linearizer as lz

pytest.importorskip("lightning")
from linearizer.applications import OneStepFlow
from linearizer.data import Images, load_digits
from linearizer.display.tables import page_markdown
from linearizer.errors import RangeError
from linearizer.evaluation.flow import evaluate_flow
from linearizer.evaluation.flow_table import evaluation_page
from linearizer.evaluation.likeness import EQUAL_DB
from linearizer.evaluation.projector import anything
from linearizer.flows import METHODS
from linearizer.metrics import LPIPS, Classifier, psnr_db


@pytest.fixture(scope="module")
def case():
    torch.manual_seed(0)
    train, held_out = load_digits().split(297)
    g = lz.image_bijection(train.shape, depth=2, width=32)
    flow = OneStepFlow.fit(g, [train.dequantized(2.0, 0)])
    return flow, train, held_out, Classifier(train.shape, num_features=16)


@pytest.fixture(scope="module")
def results(case):
    return evaluate_flow(*case, lpips=LPIPS(), steps=10, count=130, noise_width=2.0)


def test_json_is_strict(results):
    assert json.loads(json.dumps(results, allow_nan=False)) == results


def test_exact_linear_algebra_reaches_the_thresholds(results):
    assert results["inversion"]["psnr_db"] > 60
    assert results["inversion"]["lpips"] < 5e-4
    for method in METHODS:
        assert results["one_step_vs_n_step"][method]["psnr_db"] > 80
        assert results["frechet_distance"]["ratio"][method] == pytest.approx(1, abs=0.01)


def test_more_accurate_methods_come_nearer_to_the_exact_flow(results):
    psnr = results["own_step_vs_n_step_psnr_db"]
    assert psnr["rk4"] > psnr["midpoint"] > psnr["euler"]


def test_batches_give_the_numbers_of_the_whole(case, results):
    flow, _, held_out, classifier = case
    noise = flow.noise(130, 1)
    with torch.no_grad():
        expected = psnr_db(flow.decode(noise), flow.integrate(noise, 10, "euler"))
    assert results["own_step_vs_n_step_psnr_db"]["euler"] == pytest.approx(expected, abs=0.01)
    assert results["classifier"]["accuracy_held_out"] == pytest.approx(
        classifier.accuracy(held_out.images, held_out.labels)
    )


def test_counts(results):
    assert sum(results["classifier"]["classes_of_samples"]) == 130
    assert sum(results["classifier"]["classes_of_real"]) == 297
    assert results["images"]["inverted"] == 130
    bits = results["bits_per_dimension"]
    assert bits["uniform_noise"] > bits["train"]
    assert set(bits) == {"held_out", "train", "upside_down", "negative", "uniform_noise"}


def test_what_is_measured_is_left_as_it_was(case):
    flow, train, held_out, classifier = case
    flow = copy.deepcopy(flow).double().train()
    classifier = copy.deepcopy(classifier).train()
    seed = torch.random.get_rng_state()
    evaluate_flow(flow, train, held_out, classifier, steps=1, count=10)
    assert flow.training
    assert classifier.training
    assert {p.dtype for p in flow.parameters()} == {torch.float64}
    assert torch.equal(torch.random.get_rng_state(), seed)


def test_the_same_seed_gives_the_same_numbers(case):
    first, second = (evaluate_flow(*case, steps=2, count=20, seed=3) for _ in range(2))
    assert first == second


def test_the_paper_stands_beside_ours(results):
    page = page_markdown(evaluation_page(results, paper="mnist"))
    assert "| 31.6 dB | ≥ 60 dB | holds |" in page
    assert "| 0.006 | ≤ 0.0001 |" in page
    assert page.count("comparable") == len(METHODS)
    assert "33.4 dB" in page_markdown(evaluation_page(results, paper="celeba"))
    assert "31.6" not in page_markdown(evaluation_page(results))
    with pytest.raises(RangeError, match="mnist, celeba"):
        page_markdown(evaluation_page(results, paper="imagenet"))


def test_a_missed_threshold_is_called_one(results):
    worse = copy.deepcopy(results)
    worse["inversion"] = {"psnr_db": 59.9, "lpips": None}
    worse["frechet_distance"]["ratio"]["rk4"] = 1.02
    page = page_markdown(evaluation_page(worse))
    assert "| Inversion, PSNR | 59.9 dB | - | ≥ 60 dB | does not hold |" in page
    assert "| Inversion, LPIPS | not finite | - | ≤ 0.0005 | does not hold |" in page
    assert "rk4 steps | 1.0200 | - | equal within 1% | does not hold |" in page


def test_without_lpips_its_rows_are_left_out(case):
    results = evaluate_flow(*case, steps=1, count=10)
    assert results["inversion"]["lpips"] is None
    page = page_markdown(evaluation_page(results))
    assert "LPIPS |" not in page
    assert "LPIPS is measured with --lpips-backbone FILE --lpips-heads FILE." in page


def test_equal_images_get_a_finite_psnr(case):
    _, train, held_out, classifier = case
    g = lz.Flatten(train.shape)
    flow = OneStepFlow(g, lz.flows.CovarianceFlow.from_covariances(torch.eye(64), torch.eye(64)))
    results = evaluate_flow(flow, train, held_out, classifier, steps=1, count=10)
    assert results["inversion"]["psnr_db"] == EQUAL_DB


def test_what_is_not_finite_is_none_and_noted(case):
    flow, train, held_out, classifier = case
    images = held_out.images[:10].clone()
    images[3, 0, 0, 0] = torch.nan
    damaged = Images(images, held_out.labels[:10], held_out.quantization_levels)
    results = evaluate_flow(flow, train, damaged, classifier, steps=1, count=10)
    json.dumps(results, allow_nan=False)
    assert results["inversion"]["psnr_db"] is None
    assert any("inversion.psnr_db" in note for note in results["notes"])
    assert "| not finite |" in page_markdown(evaluation_page(results))


def test_too_few_images_are_refused(case):
    flow, train, held_out, classifier = case
    few = Images(held_out.images[:3], held_out.labels[:3], held_out.quantization_levels)
    with pytest.raises(RangeError, match="hold out more"):
        evaluate_flow(flow, train, few, classifier)
    with pytest.raises(RangeError, match="number of samples"):
        evaluate_flow(flow, train, held_out, classifier, count=1)


def test_the_one_step_of_a_flow_with_steps_is_named(case):
    flow, train, held_out, classifier = case
    flow = OneStepFlow(flow.g_data, flow.operator, steps=4, method="heun")
    results = evaluate_flow(flow, train, held_out, classifier, steps=4, count=10)
    assert results["own_step_vs_n_step_psnr_db"]["heun"] > 80
    assert "one step (4 heun steps collapsed)" in page_markdown(evaluation_page(results))


def test_few_images_are_enough_for_inputs_of_every_kind() -> None:
    kinds = anything(torch.rand(4, 1, 8, 8) * 2 - 1, 0)
    assert all(len(images) for images in kinds.values())
    assert "pieces of photographs" in kinds
