"""Weights prove themselves: certificates are written, compared, and missed where none is."""

import json
import shutil
import warnings

import pytest
import torch

import linearizer as lz
from command_line import assert_one_clear_line, linearizer
from linearizer.applications import IdempotentGenerator, OneStepFlow, StyleTransfer
from linearizer.errors import CertificateWarning, FileFormatError, RangeError
from linearizer.measurement import Measurement
from linearizer.saving import PRETRAINED
from linearizer.saving.certificate import Certificate
from linearizer.testing import perturb_
from linearizer.verification import certify, difference, verify


def flow():
    return OneStepFlow.fit(perturb_(lz.vector_bijection(5, depth=2, width=8)), [torch.randn(90, 5)])


def projector():
    g = perturb_(lz.vector_bijection(5, depth=2, width=8))
    return IdempotentGenerator.fit(g, [torch.randn(90, 5)], rank=3)


def styles():
    g_x, g_y = (perturb_(lz.style_bijection((3, 8, 8), depth=1, width=4)) for _ in range(2))
    kernel = torch.eye(48)[..., None, None] + 0.02 * torch.randn(48, 48, 1, 1)
    return StyleTransfer(g_x, g_y, {"one": lz.CircularConvolution(kernel, (2, 2))})


MODELS = {
    "flow": (flow, "one step = 20 rk4 steps"),
    "projector": (projector, "f(f(x)) = f(x), uniform noise, float64"),
    "styles": (styles, "stylized, undone, stylized, one"),
    "linearizer": (lambda: lz.Linearizer(flow().g_data, torch.eye(5)), "superposition, linearizer"),
    "operator": (lambda: lz.Dense(torch.eye(3, 5)), "A A⁺ A = A, operator"),
    "bijection": (lambda: perturb_(lz.LULinear(4)), "g of normal points: g⁻¹(g(x)) = x"),
}


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    model = flow()
    model.save_pretrained(tmp_path / "flow")
    certify(tmp_path / "flow", model)
    return tmp_path / "flow"


def perturb_file(folder, amount):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CertificateWarning)
        model = lz.load(folder)
    with torch.no_grad():
        next(model.parameters()).view(-1)[0] += amount
    model.save_pretrained(folder, overwrite=True)


@pytest.mark.parametrize("name", MODELS)
def test_the_laws_hold_and_the_certificate_is_read_as_written(name, tmp_path):
    torch.manual_seed(0)
    build, law = MODELS[name]
    model = build()
    model.save_pretrained(tmp_path / "model")
    certificate = certify(tmp_path / "model", model)
    assert certificate.holds
    assert law in [law.name for law in certificate.laws]
    assert Certificate.read(tmp_path / "model") == certificate
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = lz.load(tmp_path / "model")
    assert difference(certificate.probe, verify(again).probe) <= 1e-12


@pytest.mark.parametrize("name", lz.list_pretrained())
def test_what_is_shipped_is_certified(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = lz.load(name)
    found, certificate = verify(model), Certificate.read(PRETRAINED / name)
    assert all(law.holds for law in found.laws), [law for law in found.laws if not law.holds]
    assert difference(certificate.probe, found.probe) <= 1e-6
    card = (PRETRAINED / name / "README.md").read_text(encoding="utf-8")
    assert "## Laws on these weights" in card


def test_a_law_that_fails_is_seen():
    """A g whose log-scales are not bounded loses what it is given."""
    g = perturb_(lz.vector_bijection(8, depth=16, width=16, log_scale_bound=5.0), 3.0)
    failed = [law for law in verify(g).laws if not law.holds]
    assert failed
    assert not Measurement("never", float("nan"), 1.0).holds


def test_what_has_no_laws_is_refused():
    with pytest.raises(RangeError, match="got a MLP"):
        verify(lz.conditioners.MLP())


# Loading


def test_an_application_without_certificate_is_warned_of(tmp_path):
    flow().save_pretrained(tmp_path)
    with pytest.warns(CertificateWarning, match="run: linearizer verify"):
        lz.load(tmp_path)


def test_a_part_without_certificate_is_not(tmp_path):
    lz.vector_bijection(3).save_pretrained(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lz.load(tmp_path)


def test_a_certificate_of_other_weights_is_warned_of(folder):
    perturb_file(folder, 1e-7)
    with pytest.warns(CertificateWarning, match=r"got another config.json, model.safetensors"):
        lz.load(folder)


def test_a_style_that_was_added_later_is_warned_of(tmp_path):
    model = styles()
    model.save_pretrained(tmp_path)
    certify(tmp_path, model)
    model.add("two", model.operator("one"))
    model.save_style("two", tmp_path)
    with pytest.warns(CertificateWarning, match=r"styles/two/config.json"):
        lz.load(tmp_path)


def test_a_certificate_on_which_a_law_fails_is_warned_of(folder):
    content = json.loads((folder / "certificate.json").read_text())
    content["laws"][0]["measured"] = None
    (folder / "certificate.json").write_text(json.dumps(content))
    with pytest.warns(CertificateWarning, match=r"these do not: g of data"):
        lz.load(folder)


@pytest.mark.parametrize("text", ["", "[]", "{}", "\x00", '{"format_version": 1}'])
def test_a_damaged_certificate_is_warned_of(folder, text):
    (folder / "certificate.json").write_text(text)
    with pytest.warns(CertificateWarning, match="delete the file"):
        lz.load(folder)


def test_a_newer_certificate_is_warned_of(folder):
    content = json.loads((folder / "certificate.json").read_text())
    (folder / "certificate.json").write_text(json.dumps({**content, "format_version": 9}))
    with pytest.warns(CertificateWarning, match="upgrade linearizer"):
        lz.load(folder)


# The command


def test_verify_writes_a_certificate_and_a_card(tmp_path):
    flow().save_pretrained(tmp_path)
    (tmp_path / "README.md").write_text("# Mine\n\nWords.\n")
    done = linearizer("verify", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "one step = 20 euler steps" in done.stdout
    assert not done.stderr
    card = (tmp_path / "README.md").read_text()
    assert card.startswith("# Mine\n\nWords.\n\n<!-- certificate -->")
    before = (tmp_path / "certificate.json").read_bytes()
    again = linearizer("verify", tmp_path)
    assert again.returncode == 0
    assert "These are the weights" in again.stdout
    assert (tmp_path / "certificate.json").read_bytes() == before
    assert linearizer("verify", tmp_path, "--overwrite").returncode == 0
    assert (tmp_path / "README.md").read_text() == card


def test_verify_begins_a_card(tmp_path):
    flow().save_pretrained(tmp_path)
    linearizer("verify", tmp_path)
    assert (tmp_path / "README.md").read_text().startswith("---\nlibrary_name: linearizer")


def test_a_perturbed_weight_is_refused(folder):
    perturb_file(folder, 0.01)
    done = linearizer("verify", folder)
    assert "differ by" in done.stderr
    assert "--overwrite" in done.stderr
    assert_one_clear_line(done, "certificate.json")
    assert linearizer("verify", folder, "--overwrite").returncode == 0


def test_weights_that_were_only_written_anew_pass(folder):
    perturb_file(folder, 0.0)
    config = folder / "config.json"
    config.write_text(config.read_text() + "\n")
    done = linearizer("verify", folder)
    assert done.returncode == 0, done.stderr
    assert "same outputs" in done.stdout


@pytest.mark.parametrize("place", [0.2, 0.5, 0.999])
def test_a_flipped_byte_is_refused(folder, place):
    weights = folder / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[int(place * len(data))] ^= 1
    weights.write_bytes(data)
    assert_one_clear_line(linearizer("verify", folder), "other bytes")


def test_a_law_that_fails_makes_the_command_fail(tmp_path):
    g = perturb_(lz.vector_bijection(8, depth=16, width=16, log_scale_bound=5.0), 3.0)
    g.save_pretrained(tmp_path)
    done = linearizer("verify", tmp_path)
    assert_one_clear_line(done, "expected all laws to hold")
    with pytest.warns(CertificateWarning, match="more stable inverse"):
        lz.load(tmp_path)


def test_what_is_no_model_is_refused(tmp_path):
    assert_one_clear_line(linearizer("verify", tmp_path / "nothing"), "got no config.json")
    (tmp_path / "config.json").write_text("{}")
    assert_one_clear_line(linearizer("verify", tmp_path), "another program")


# The hub


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A folder in place of the hub."""
    import huggingface_hub

    place = tmp_path / "hub"

    def create_repo(self, repo_id, **options):
        (place / repo_id).mkdir(parents=True)
        return huggingface_hub.RepoUrl(f"https://huggingface.co/{repo_id}")

    def upload_folder(self, *, repo_id, folder_path, **options):
        shutil.copytree(folder_path, place / repo_id, dirs_exist_ok=True)
        return f"commit of {repo_id}"

    def snapshot_download(repo_id, **options):
        if not (place / repo_id).exists():
            raise OSError("404")
        return str(place / repo_id)

    monkeypatch.setattr(huggingface_hub.HfApi, "create_repo", create_repo)
    monkeypatch.setattr(huggingface_hub.HfApi, "upload_folder", upload_folder)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    return place


def test_a_model_goes_to_the_hub_and_comes_back(hub):
    torch.manual_seed(0)
    g = perturb_(lz.vector_bijection(4))
    assert g.push_to_hub("me/g") == "commit of me/g"
    assert "library_name: linearizer" in (hub / "me/g/README.md").read_text()
    x = torch.randn(3, 4)
    assert torch.equal(lz.load("hf:me/g")(x), g(x))
    assert torch.equal(lz.Bijection.from_pretrained("hf:me/g")(x), g(x))


def test_a_folder_is_pushed_with_all_that_belongs_to_it(hub, tmp_path):
    model = styles()
    folder = tmp_path / "run"
    model.save_pretrained(folder)
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "last.ckpt").write_bytes(b"large")
    assert linearizer("verify", folder).returncode == 0
    done = linearizer("push", folder, "me/styles")
    assert done.returncode == 0, done.stderr
    pushed = hub / "me/styles"
    assert (pushed / "README.md").read_text() == (folder / "README.md").read_text()
    assert (pushed / "styles" / "one" / "model.safetensors").exists()
    assert not (pushed / "checkpoints").exists()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert lz.load("hf:me/styles").names == ["one"]


def test_what_is_not_on_the_hub_is_said(hub):
    with pytest.raises(FileFormatError, match="got none"):
        lz.load("hf:me/nothing")
