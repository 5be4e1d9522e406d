"""The evaluation of flows with classes, on images whose classes are known Gaussians."""

import json

import pytest
import torch

import linearizer as lz

pytest.importorskip("lightning")
from linearizer.applications import ConditionalFlow
from linearizer.data import Images
from linearizer.display.tables import page_markdown
from linearizer.evaluation.flow import evaluate_flow
from linearizer.evaluation.flow_table import evaluation_page
from linearizer.flows import METHODS
from linearizer.training import train_classifier

STD = 0.1


def pictures(count, seed):
    """Bars that lean at random; the class is the place of a dot above, whatever the bar."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 3
    lean = torch.rand(count, 1, 1, generator=generator) - 0.5
    rows, columns = torch.arange(8.0)[None, :, None] - 4, torch.arange(8.0)[None, None, :] - 3.5
    images = 2 * torch.exp(-(columns + lean * rows).square()) - 1
    images[:, 0] = -1
    images[torch.arange(count), 0, 2 + 2 * labels] = 0
    images = images + 0.05 * torch.randn(images.shape, generator=generator)
    return Images(images[:, None], labels, 256)


@pytest.fixture(scope="module")
def case():
    train, held_out = pictures(900, 0), pictures(300, 1)
    flow = ConditionalFlow.fit(lz.Flatten(train.shape), train.images, train.labels, noise=STD)
    return flow, train, held_out, train_classifier(train, steps=200)


@pytest.fixture(scope="module")
def results(case):
    return evaluate_flow(*case, steps=10, noise_std=STD)


def test_json_is_strict(results):
    assert json.loads(json.dumps(results, allow_nan=False)) == results


def test_gaussian_classes_are_what_they_are_called(results):
    found = results["classes"]["of_data"]
    assert found["asked_is_judged"] > 0.97
    assert found["posterior_accuracy"]["held_out"] > 0.97
    assert found["posterior_accuracy"]["held_out_under_noise"] > 0.97
    assert found["largest_factor"] < 1.3
    for row in found["translation"].values():
        assert row["images"] == 2 * 300
        assert row["judged_as_asked"] > 0.97
        assert row["slant"] > 0.7


def test_laws_hold_and_every_component_reaches_the_thresholds(results):
    assert max(results["classes"]["between"].values()) < 1e-8
    assert results["inversion"]["psnr_db"] > 60
    for method in METHODS:
        each = results["one_step_vs_n_step_psnr_db_of_components"][method]
        assert len(each) == 3
        assert results["one_step_vs_n_step"][method]["psnr_db"] == min(each) > 80
        assert results["frechet_distance"]["ratio"][method] == pytest.approx(1, abs=0.01)


def test_samples_are_as_many_as_held_out_images_and_nearly_as_near_as_training_images(results):
    rows = results["samples"]
    assert {row["count"] for row in rows.values()} == {300}
    assert rows["samples"]["kernel_distance"] < 0.1
    assert rows["samples"]["frechet_distance"] < 10 * rows["train_images"]["frechet_distance"]
    assert results["images"]["samples"] == 1000  # what earlier releases measured


def test_names_that_are_mixed_up_are_found(case):
    flow, train, held_out, classifier = case
    parts = [flow.component(i) for i in range(3)]
    mixed = ConditionalFlow(parts, [1, 2, 0], flow.weights, flow.pooled)
    found = evaluate_flow(mixed, train, held_out, classifier, steps=1, count=90)
    assert found["classes"]["of_data"]["asked_is_judged"] < 0.03
    assert found["classes"]["of_data"]["posterior_accuracy"]["held_out"] < 0.03
    assert set(found["samples"]) == {"samples", "train_images"}  # the noise is not known
    page = page_markdown(evaluation_page(found, paper="mnist"))
    assert "| Class asked for = class judged | 0.0" in page
    assert "| ≥ 0.95 | does not hold |" in page


def test_on_other_data_only_laws_have_thresholds(results):
    page = page_markdown(evaluation_page(results))
    assert "≥ 0.95" not in page
    assert "| f_bc f_ab = f_ac by noise, largest relative error, float64 |" in page
    assert page.count("≤ 1e-08 | holds |") == 3
    assert "Gaussian noise of standard deviation 0.1." in page
    assert "as in earlier releases, kept for one more" in page


def test_clusters_are_not_taken_for_classes(case):
    _, train, held_out, classifier = case
    flow = ConditionalFlow.fit(lz.Flatten(train.shape), train.images, components=5)
    found = evaluate_flow(flow, train, held_out, classifier, steps=1, count=4, labeled=False)
    assert set(found["classes"]) == {"between"}
    assert max(found["classes"]["between"].values()) < 1e-8
    assert "class judged" not in page_markdown(evaluation_page(found, paper="mnist"))


def test_a_single_component_has_laws_too(case):
    _, train, held_out, classifier = case
    flow = ConditionalFlow.fit(lz.Flatten(train.shape), train.images, components=1)
    found = evaluate_flow(flow, train, held_out, classifier, steps=1, count=4)
    assert set(found["classes"]) == {"between"}


def test_the_same_seed_gives_the_same_numbers(case):
    settings = {"steps": 1, "count": 20, "seed": 3, "noise_std": STD}
    first, second = (evaluate_flow(*case, **settings) for _ in range(2))
    assert first == second
