"""What was done to a picture comes back from the record beside it, and from nothing else."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

import linearizer as lz
from linearizer.applications.style_transfer import Record, Step
from linearizer.errors import FileFormatError, RangeError, SingularOperatorError
from linearizer.testing import perturb_

SIZE = (16, 16)
STEPS = {
    "a style": [Step({"one": 1.0})],
    "a mix": [Step({"one": 0.4, "two": 0.6})],
    "weakened": [Step({"one": 1.0}, strength=0.5)],
    "beyond": [Step({"one": 0.5, "two": 0.5}, strength=1.4)],
    "composed": [Step({"one": 1.0}), Step({"two": 1.0}, strength=0.7)],
    "on the geodesic": [Step({"one": 0.25, "two": 0.75}, geodesic=True)],
}


def bijection(seed):
    torch.manual_seed(seed)
    return perturb_(lz.style_bijection((3, *SIZE), depth=2, width=8), scale=0.05, seed=seed)


def kernel(seed, side=3):
    torch.manual_seed(seed)
    k = 0.02 * torch.randn(48, 48, side, side)
    k[:, :, side // 2, side // 2] += torch.eye(48)
    return k


@pytest.fixture
def model():
    styles = {
        "one": lz.CircularConvolution(kernel(1), (4, 4)),
        "two": lz.CircularConvolution(kernel(2, side=1), (4, 4)),
    }
    return lz.StyleTransfer(bijection(0), bijection(1), styles)


@pytest.fixture
def photo():
    return torch.rand(3, 21, 35) * 2 - 1


@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
def test_steps_are_taken_back_from_the_file(model, photo, steps, tmp_path):
    made = Record.of(model, photo, steps)
    assert made.picture.shape == photo.shape
    made.write(tmp_path / "record.safetensors")
    read = Record.read(tmp_path / "record.safetensors")
    assert torch.equal(read.image, made.image)
    assert replace(read, image=None) == replace(made, image=None)
    torch.testing.assert_close(read.undo(model), photo, rtol=0.0, atol=1e-3)


def test_one_step_is_what_stylize_does(model, photo):
    made = Record.of(model, photo, [Step({"one": 0.3, "two": 0.6}, strength=0.8)])
    styled = model.stylize(photo, {"one": 0.3, "two": 0.6}, strength=0.8)
    torch.testing.assert_close(made.picture, styled)
    composed = Record.of(model, photo, [Step({"one": 1.0}), Step({"two": 1.0})])
    torch.testing.assert_close(composed.picture, model.compose(photo, "one", "two"))


def test_in_float64_the_content_comes_back_to_the_last_digit(model, photo):
    steps = STEPS["composed"]
    rounded, exact = (Record.of(model, photo, steps, exact=exact) for exact in (False, True))
    assert exact.image.dtype == torch.float64
    assert next(model.parameters()).dtype == torch.float32
    again = exact.undo(model)
    assert again.dtype == torch.float32
    torch.testing.assert_close(again, photo, rtol=0.0, atol=2e-7)
    assert (again - photo).norm() < (rounded.undo(model) - photo).norm()


def test_a_strength_is_the_place_between_the_identity_and_the_style(model, photo):
    """Without an operator named plain, s A + (1 - s) I."""
    A = 0.3 * model.operator("one").to_dense() + 0.7 * torch.eye(48 * 16)
    f = lz.Linearizer(model.g_x, lz.Dense(A, (48, 4, 4), (48, 4, 4)), model.g_y)
    x = torch.rand(3, *SIZE)
    torch.testing.assert_close(model.stylize(x, "one", strength=0.3), f(x), rtol=0.0, atol=1e-4)
    undone = model.undo(f(x), "one", strength=0.3)
    torch.testing.assert_close(undone, x, rtol=0.0, atol=1e-3)
    lazy = lz.Dense(model.operator("one").to_dense(), (48, 4, 4), (48, 4, 4))
    by_operator = model.stylize(x, lazy, strength=0.3)
    torch.testing.assert_close(by_operator, f(x), rtol=0.0, atol=1e-4)


def test_another_model_and_a_style_that_was_replaced_are_refused(model, photo):
    record = Record.of(model, photo, [Step({"one": 1.0})])
    other = lz.StyleTransfer(bijection(5), bijection(1), dict(model.styles.items()))
    with pytest.raises(FileFormatError, match="another g"):
        record.undo(other)
    model.add("two", lz.CircularConvolution(kernel(7), (4, 4)))  # which was not used
    record.undo(model)
    model.add("one", lz.CircularConvolution(kernel(8), (4, 4)))
    with pytest.raises(FileFormatError, match=r"style one as it was .* got another"):
        record.undo(model)
    del model.styles["one"]
    with pytest.raises(FileFormatError, match="got none of that name"):
        record.undo(model)


def test_plain_counts_where_a_style_was_weakened(model, photo):
    full, weak = (Record.of(model, photo, [Step({"one": 1.0}, strength=s)]) for s in (1.0, 0.5))
    model.add("plain", lz.CircularConvolution(kernel(9), (4, 4)))
    full.undo(model)
    with pytest.raises(FileFormatError, match="expected no style plain"):
        weak.undo(model)


def test_a_strength_without_an_inverse_is_refused(model, photo):
    """(1 - s) I + s A with A = 3 I is zero at s = -1/2."""
    model.add("triple", lz.CircularConvolution(3 * torch.eye(48)[..., None, None], (4, 4)))
    Record.of(model, photo, [Step({"triple": 1.0}, strength=-0.4)]).undo(model)
    record = Record.of(model, photo, [Step({"triple": 1.0}, strength=-0.5)])
    with pytest.raises(SingularOperatorError, match=r"triple at strength -0\.5"):
        record.undo(model)


def test_a_record_knows_its_picture(model, photo):
    record = Record.of(model, photo, [Step({"one": 1.0})])
    assert record.is_of(record.picture)
    rounded = ((record.picture.clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1
    assert record.is_of(rounded)
    assert not record.is_of(rounded.flip(-1))
    assert not record.is_of(rounded[..., 1:])
    rounded[0, 0, 0] += 2 / 255 if rounded[0, 0, 0] < 0 else -2 / 255
    assert not record.is_of(rounded)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"size": [0, 5]},
        {"size": [90, 5]},
        {"size": "ab"},
        {"steps": []},
        {"steps": [{"weights": {"one": 1e9}, "strength": 1.0, "geodesic": False}]},
        {"steps": [{"weights": ["one"], "strength": 1.0, "geodesic": False}]},
        {"steps": [{"weights": {"one": 10**400}, "strength": 1.0, "geodesic": False}]},
        {"steps": [{"weights": {"one": 1.0}, "strength": "much", "geodesic": False}]},
        {"operators": 5},
    ],
    ids=str,
)
def test_a_file_that_is_no_record_is_refused(model, photo, change, tmp_path):
    path = tmp_path / "record.safetensors"
    Record.of(model, photo, [Step({"one": 1.0})]).write(path)
    (key, text), tensors = metadata(path), load_file(path)
    note = json.dumps({**json.loads(text), **change})
    save_file(tensors, path, metadata={key: note})
    with pytest.raises(FileFormatError, match="expected a record"):
        Record.read(path)


def test_damaged_and_foreign_files_are_refused(model, photo, tmp_path):
    path = tmp_path / "record.safetensors"
    with pytest.raises(FileFormatError, match="got no file"):
        Record.read(path)
    path.write_bytes(b"?")
    with pytest.raises(FileFormatError, match="something else"):
        Record.read(path)
    save_file({"image": photo}, path)
    with pytest.raises(FileFormatError, match="something else"):
        Record.read(path)
    record = Record.of(model, photo, [Step({"one": 1.0})])
    replace(record, image=torch.full_like(record.image, torch.nan)).write(path)
    with pytest.raises(FileFormatError, match="not finite"):
        Record.read(path)


def metadata(path):
    """The one entry of a file's metadata."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        ((key, text),) = file.metadata().items()
    return key, text


def test_steps_are_checked_and_read_well(model, photo):
    assert str(Step({"a": 1.0})) == "a"
    assert str(Step({"a": 0.25, "b": 0.75}, geodesic=True)) == "a=0.25,b=0.75 on the geodesic"
    with pytest.raises(RangeError, match="place on a geodesic"):
        Step({"a": 1.0}, geodesic=True)
    with pytest.raises(RangeError, match="the weight of a"):
        Step({"a": float("nan")})
    with pytest.raises(RangeError, match="the strength"):
        Step({"a": 1.0}, strength=float("inf"))
    for wrong in ([], [Step({"one": 1.0})]):
        with pytest.raises(RangeError, match="each with its own strength"):
            model.stylize(photo, wrong, strength=0.5)


def test_progress_goes_from_layer_to_layer_to_the_end(model, photo):
    told = []
    with_bar = model.stylize(photo, "one", progress=told.append)
    assert told == sorted(told)
    assert len(told) == 2 * len(model.g_x.bijections) + 1
    assert told[-1] == pytest.approx(1.0)
    torch.testing.assert_close(with_bar, model.stylize(photo, "one"), rtol=0.0, atol=1e-6)


def test_the_contents_keep_a_part_of_their_own_colors(model):
    contents, picture = torch.rand(20, 3, *SIZE), torch.rand(3, 32, 32)
    full, half, none = (
        model.from_picture([contents], picture, content_weight=w).response()
        for w in (0.0, 0.5, 1.0)
    )
    eye = torch.eye(48).to(none).expand_as(none)
    torch.testing.assert_close(none, eye, rtol=0.0, atol=1e-6)
    torch.testing.assert_close(half, (full + eye) / 2, rtol=1e-5, atol=1e-5)
    with pytest.raises(RangeError, match="weight of the contents"):
        model.from_picture([contents], picture, content_weight=1.5)
    with pytest.raises(lz.errors.ShapeError, match="at least 12×12"):
        model.from_picture([contents], picture[:, :8, :8])
