"""Flows with classes on the command line: `classes add`, and the commands on what it writes."""

import json

import pytest
import torch

import linearizer as lz
from command_line import assert_one_clear_line, linearizer
from digit_flows import run_without_classes

pytest.importorskip("lightning")
from PIL import Image
from safetensors.torch import load_file

from linearizer.applications import ConditionalFlow
from linearizer.data import open_data


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A flow without classes."""
    return run_without_classes(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def run(plain, tmp_path_factory):
    folder = tmp_path_factory.mktemp("classes") / "run"
    done = linearizer("classes", "add", plain, "--out", folder)
    assert done.returncode == 0, done.stderr
    assert "10 classes: 0, 1, 2" in done.stdout
    return folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Held-out digits as files."""
    folder = tmp_path_factory.mktemp("pictures")
    paths = [folder / f"digit{i}.png" for i in range(3)]
    for path, digit in zip(paths, open_data("digits")[1].images[:, 0], strict=False):
        Image.fromarray(((digit + 1) * 127.5).byte().numpy()).save(path)
    return paths


def saved(path):
    return load_file(path.with_suffix(".safetensors"))


# linearizer classes add --------------------------------------------------------------------


def test_a_flow_gains_classes_with_certificate_card_and_note(run):
    model = lz.load(run)
    assert isinstance(model, ConditionalFlow)
    assert model.classes == list(range(10))
    assert torch.equal(model.g(torch.zeros(1, 8, 8)), lz.load("digits").g(torch.zeros(1, 8, 8)))
    assert "ConditionalFlow" in (run / "README.md").read_text()
    assert (run / "certificate.json").is_file()
    note = json.loads((run / "run.json").read_text())
    assert note["noise_std"] == 0.1
    assert not (run / "checkpoints").exists()
    held_out = open_data("digits")[1]
    told = torch.tensor(model.classes)[model.classify(held_out.images)]
    assert float((told == held_out.labels).float().mean()) > 0.7


def test_clusters_stand_in_for_labels_and_a_rank_for_covariances(tmp_path):
    options = ["--components", "5", "--rank", "8", "--noise", "0.1", "--seed", str(2**62)]
    done = linearizer("classes", "add", "digits", *options, "--out", tmp_path / "new")
    assert done.returncode == 0, done.stderr
    model = lz.load(tmp_path / "new")
    assert model.classes == [0, 1, 2, 3, 4]
    assert json.loads((tmp_path / "new" / "run.json").read_text())["noise_std"] == 0.1


def test_classes_are_added_to_classes(run, tmp_path):
    done = linearizer("classes", "add", run, "--components", "3", "--out", tmp_path / "new")
    assert done.returncode == 0, done.stderr
    assert lz.load(tmp_path / "new").classes == [0, 1, 2]


def test_classes_are_refused_in_one_clear_line(run, pictures, tmp_path):
    add, out = ("classes", "add"), ("--out", tmp_path / "new")
    assert_one_clear_line(linearizer(*add, "digits", "--out", run), "finished", "--overwrite")
    photos = ["--data", pictures[0].parent]
    unlabeled = linearizer(*add, "digits", *photos, *out)
    assert_one_clear_line(unlabeled, "labels of two classes", "--components")
    assert_one_clear_line(linearizer(*add, "digits", "--components", "5000", *out), "1500")
    assert_one_clear_line(linearizer(*add, "digits", "--rank", "64", *out), "between 1 and 63")
    assert_one_clear_line(linearizer(*add, "mnist", "--data", "digits", *out), "(1, 28, 28)")
    assert_one_clear_line(linearizer(*add, "projector", *out), "expected a OneStepFlow")
    assert linearizer(*add, "digits", "--components", "2", *out).returncode == 0  # nothing is left


def test_evaluate_measures_classes(run, tmp_path, monkeypatch):
    from linearizer.evaluation import model

    monkeypatch.setattr(model, "CLASSIFIER_STEPS", 300)
    quick = ("--steps", "1", "-n", "60", "--out", tmp_path)
    done = linearizer("evaluate", run, *quick)
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "evaluation.json").read_text())
    assert results["classes"]["of_data"]["posterior_accuracy"]["held_out"] > 0.7
    assert results["settings"]["noise_std"] == 0.1
    page = (tmp_path / "evaluation.md").read_text()
    assert "f_bc f_ab = f_ac by noise" in page
    assert "samples, denoised (σ = 0.1)" in page
    assert_one_clear_line(linearizer("evaluate", run, *quick), "evaluation.json", "--overwrite")
    other = linearizer("evaluate", run, "--data", tmp_path / "none", "--out", tmp_path / "new")
    assert_one_clear_line(other, "does not exist")


# linearizer translate ----------------------------------------------------------------------


def test_a_digit_as_another_and_as_all_ten(run, pictures, tmp_path):
    model = lz.load(run)
    for kind in ("noise", "transport"):
        out = tmp_path / f"{kind}.png"
        done = linearizer("translate", run, *pictures, "--to", "8", "--kind", kind, "--out", out)
        assert done.returncode == 0, done.stderr
        made = saved(out)["translated"]
        assert made.shape == (1, 3, 1, 8, 8)
        expected = model.translate(saved(out)["images"], 8, kind)
        torch.testing.assert_close(made[0], expected, rtol=0, atol=1e-3)
    out = tmp_path / "all.png"
    assert linearizer("translate", run, pictures[0], "--out", out).returncode == 0
    assert saved(out)["translated"].shape == (10, 1, 1, 8, 8)


def test_translate_refuses_other_classes_and_models(run, plain, pictures, tmp_path):
    rest = (pictures[0], "--to", "x", "--out", tmp_path / "x.png")
    assert_one_clear_line(linearizer("translate", run, *rest), "0, 1, 2", "got x")
    assert_one_clear_line(linearizer("translate", plain, *rest), "linearizer classes add")


# The commands on a flow --------------------------------------------------------------------


def test_samples_have_a_row_of_each_class(run, tmp_path):
    out = tmp_path / "all.png"
    assert linearizer("sample", run, "-n", "25", "--out", out).returncode == 0
    model = lz.load(run)
    components = [c for c in range(10) for _ in range(3 if c < 5 else 2)]
    expected = model.decode(model.pooled.noise(25, 0), torch.tensor(components))
    torch.testing.assert_close(saved(out)["images"], expected, rtol=0, atol=1e-3)
    wide, tall = Image.open(out).size
    assert tall > 2 * wide  # 10 rows of 3
    assert linearizer("sample", run, "-n", "4", "--out", tmp_path / "few.png").returncode == 0


def test_samples_of_one_class_in_one_step_and_in_many(run, tmp_path):
    made = []
    for name, options in {
        "one": [],
        "many": ["--steps", "40", "--method", "rk4"],
        "guided": ["--guidance", "1"],
        "clean": ["--denoise"],
    }.items():
        out = tmp_path / f"{name}.png"
        rest = ["-n", "6", "--label", "3", *options, "--out", out]
        done = linearizer("sample", run, *rest)
        assert done.returncode == 0, done.stderr
        made.append(saved(out)["images"])
    one, many, guided, clean = made
    torch.testing.assert_close(one, lz.load(run).sample(6, label=3, seed=0), rtol=0, atol=1e-3)
    torch.testing.assert_close(many, one, rtol=0, atol=1e-2)
    assert not torch.allclose(guided, one, atol=1e-2)
    assert not torch.allclose(clean, one, atol=1e-4)


def test_more_classes_than_rows_come_by_their_weights(tmp_path):
    folder = tmp_path / "new"
    done = linearizer("classes", "add", "digits", "--components", "13", "--out", folder)
    assert done.returncode == 0, done.stderr
    out = tmp_path / "x.png"
    assert linearizer("sample", folder, "-n", "20", "--out", out).returncode == 0
    expected = lz.load(folder).sample(20, seed=0)
    torch.testing.assert_close(saved(out)["images"], expected, rtol=0, atol=1e-3)


def test_samples_that_cannot_be_are_refused_in_one_clear_line(run, plain, tmp_path):
    out = ("--out", tmp_path / "x.png")
    label = linearizer("sample", plain, "--label", "3", *out)
    assert_one_clear_line(label, "without", f"linearizer classes add {plain}")
    assert_one_clear_line(linearizer("sample", plain, "--guidance", "1", *out), "classes add")
    assert_one_clear_line(linearizer("sample", run, "--label", "11", *out), "0, 1, 2", "got 11")
    assert_one_clear_line(linearizer("sample", run, "--steps", "5", *out), "--label alone")
    several = ("--steps", "5", "--label", "1", "--guidance", "2")
    assert_one_clear_line(linearizer("sample", run, *several, *out), "--label alone")
    large = linearizer("sample", run, "--guidance", "1e6", "--temperature", "1e6", *out)
    assert "Traceback" not in large.stderr


def test_the_other_commands_work_on_classes(run, pictures, tmp_path):
    model = lz.load(run)
    for name, options in {"likeliest": [], "as8": ["--label", "8"]}.items():
        out = tmp_path / f"{name}.png"
        done = linearizer("invert", run, *pictures, *options, "--out", out)
        assert done.returncode == 0, done.stderr
        noise = model.encode(saved(out)["images"], 8 if options else None)
        torch.testing.assert_close(saved(out)["noise"], noise, rtol=1e-3, atol=1e-3)
    done = linearizer("reconstruct", run, *pictures, "--out", tmp_path / "r.png")
    assert done.returncode == 0, done.stderr
    again = saved(tmp_path / "r.png")
    torch.testing.assert_close(again["reconstruction"], again["images"], rtol=0, atol=1e-3)
    done = linearizer("interpolate", run, *pictures[:2], "-n", "3", "--out", tmp_path / "l.png")
    assert done.returncode == 0, done.stderr
    done = linearizer("directions", run, "-k", "2", "--out", tmp_path / "d.png")
    assert done.returncode == 0, done.stderr


def test_likelihood_tells_the_class_and_its_probability(run, plain, pictures):
    done = linearizer("likelihood", run, *pictures)
    assert done.returncode == 0, done.stderr
    model, images = lz.load(run), open_data("digits")[1].images[:3]
    model.requires_grad_(False)
    for line, share in zip(done.stdout.splitlines()[-3:], model.posterior(images), strict=True):
        *_, name, probability = line.split()
        assert name == str(model.classes[int(share.argmax())])
        assert float(probability) == pytest.approx(float(share.max()), abs=0.05)
    assert "probability" not in linearizer("likelihood", plain, *pictures).stdout


def test_the_sampler_of_one_class_is_exported(run, plain, tmp_path):
    out = tmp_path / "three.pt2"
    to = ["--to", "torch-export"]
    done = linearizer("export", run, "--label", "3", *to, "--out", out)
    assert done.returncode == 0, done.stderr
    graph = torch.export.load(out).module()
    model = lz.load(run)
    noise = model.pooled.noise(5, 0)
    torch.testing.assert_close(graph(noise), model.at(3).decode(noise), rtol=0, atol=1e-3)
    rest = [*to, "--out", tmp_path / "x.pt2"]
    assert_one_clear_line(linearizer("export", run, *rest), "--label")
    assert_one_clear_line(linearizer("export", plain, "--label", "3", *rest), "classes add")
    assert_one_clear_line(linearizer("export", "style", "--label", "3", *rest), "StyleTransfer")


# linearizer train one-step --classes -------------------------------------------------------

TRAIN = ["train", "one-step", "--data", "digits", "--preset", "quick", "--classes"]
SIZE = ["--depth", "4", "--width", "32", "--batch-size", "64"]
SMALL = [*TRAIN, *SIZE]


def test_classes_are_trained_and_an_interrupted_run_goes_on(tmp_path, monkeypatch):
    from linearizer.training import TrainingBudget
    from linearizer.training.objectives.mixture_likelihood import MixtureLikelihoodTraining

    step = MixtureLikelihoodTraining.training_step

    def stopped(self, batch):
        if self.global_step == 70:
            raise KeyboardInterrupt
        return step(self, batch)

    budget = TrainingBudget.__init__
    short = {"checkpoint_every": 25}
    monkeypatch.setattr(TrainingBudget, "__init__", lambda *a, **k: budget(*a, **{**k, **short}))
    options = [*SMALL, "--steps", "120"]
    with monkeypatch.context() as patch:
        patch.setattr(MixtureLikelihoodTraining, "training_step", stopped)
        assert linearizer(*options, "--out", tmp_path / "twice").returncode != 0
    assert (tmp_path / "twice" / "checkpoints" / "last.ckpt").is_file()
    again = linearizer(*options, "--out", tmp_path / "twice")
    assert again.returncode == 0, again.stderr
    assert "Going on" in again.stdout
    assert linearizer(*options, "--out", tmp_path / "once").returncode == 0
    once, twice = (lz.load(tmp_path / name) for name in ("once", "twice"))
    assert torch.equal(once.sample(5, seed=0), twice.sample(5, seed=0))
    assert once.classes == list(range(10))
    note = json.loads((tmp_path / "once" / "run.json").read_text())
    assert note["classes"]
    assert note["noise_std"] == pytest.approx(0.1)
    held_out = open_data("digits")[1]
    told = torch.tensor(once.classes)[once.classify(held_out.images)]
    assert float((told == held_out.labels).float().mean()) > 0.8
    assert (tmp_path / "once" / "certificate.json").is_file()


def test_training_starts_from_a_g_with_classes(run, tmp_path):
    size = ["--preset", "digits", "--steps", "2", "--noise", "3"]
    done = linearizer(*TRAIN[:4], *size, "--classes", "--init", run, "--out", tmp_path / "new")
    assert done.returncode == 0, done.stderr
    note = json.loads((tmp_path / "new" / "run.json").read_text())
    assert note["noise_std"] == pytest.approx(3 / 2 * 0.0722, abs=1e-3)


def test_training_of_classes_refuses_in_one_clear_line(pictures, tmp_path, monkeypatch):
    out = ("--out", tmp_path / "new")
    paper = linearizer(*SMALL, "--operator", "paper", *out)
    assert_one_clear_line(paper, "--classes", "--operator paper")
    assert_one_clear_line(linearizer(*SMALL, "--reconstruction", "1", *out), "--reconstruction")
    unlabeled = [*SMALL[:3], pictures[0].parent, *SMALL[4:]]
    assert_one_clear_line(linearizer(*unlabeled, *out), "labels of two classes", "--components")
    both = linearizer(*SMALL, "--components", "5", *out)
    assert_one_clear_line(both, "--classes or --components", "got both")
    monkeypatch.setattr("linearizer.training.one_step_run.LARGEST_COVARIANCE", 63)
    assert_one_clear_line(linearizer(*SMALL, *out), "at most 63", "got 64", "classes add")


def test_a_class_of_one_image_is_trained(tmp_path):
    """It borrows the covariance of the others."""
    for name, digits in {"many": range(1, 25), "one": range(1)}.items():
        (tmp_path / "data" / name).mkdir(parents=True)
        for i in digits:
            picture = ((open_data("digits")[0].images[i, 0] + 1) * 127.5).byte().numpy()
            Image.fromarray(picture).save(tmp_path / "data" / name / f"{i}.png")
    options = ["--data", tmp_path / "data", *SMALL[4:], "--size", "8", "--steps", "3"]
    done = linearizer("train", "one-step", *options, "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    model = lz.load(tmp_path / "run")
    assert len(model.classes) == 2
    assert bool(model.sample(6, seed=0).isfinite().all())


# linearizer train one-step --components ----------------------------------------------------

CLUSTERS = [*TRAIN[:-1], *SIZE, "--components"]


def test_clusters_are_found_while_g_is_trained(tmp_path):
    done = linearizer(*CLUSTERS, "12", "--steps", "120", "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    model = lz.load(tmp_path / "run")
    assert isinstance(model, ConditionalFlow)
    assert model.classes == list(range(12))
    assert json.loads((tmp_path / "run" / "run.json").read_text())["components"] == 12
    held_out = open_data("digits")[1]
    table = torch.zeros(12, 10)
    table.index_put_((model.classify(held_out.images), held_out.labels), torch.ones(()), True)
    assert float(table.amax(1).sum() / len(held_out)) > 0.6  # most of a cluster are of one class


def test_training_of_clusters_refuses_in_one_clear_line(tmp_path):
    out = ("--out", tmp_path / "new")
    assert_one_clear_line(linearizer(*CLUSTERS, "5000", *out), "1 and 1500", "got 5000")
    assert linearizer(*CLUSTERS, "1", *out).returncode == 2
    paper = linearizer(*CLUSTERS, "5", "--operator", "paper", *out)
    assert_one_clear_line(paper, "no --components with --operator paper")
    assert not (tmp_path / "new").exists()
