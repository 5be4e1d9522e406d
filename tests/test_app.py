"""The page in the browser, without a browser: what it computes, and what it refuses."""

import asyncio
import base64
import io
import json
import re
import socket
import sys
from copy import copy

import pytest
import torch
from PIL import Image, ImageDraw

import linearizer as lz
from command_line import assert_one_clear_line, linearizer
from digit_flows import flow_with_classes
from linearizer.app import classes, one_step, playground, projector, style
from linearizer.app.digits import Digits
from linearizer.app.models import Models
from linearizer.app.pictures import (
    CANVAS,
    as_data,
    board,
    digit_from,
    drawing_from,
    photo_from,
)
from linearizer.applications import ConditionalFlow
from linearizer.data.pixels import as_picture, decode_image
from linearizer.errors import FileFormatError, RangeError, ShapeError

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def models():
    return Models([])


@pytest.fixture(scope="module", params=["without classes", "with classes"])
def digits(models, request):
    """A flow of digits of MNIST without classes, and one of smaller digits with them."""
    if request.param == "with classes":
        return Digits(flow_with_classes())
    return Digits(models.digits.flow, models.digits.noise)


@pytest.fixture(scope="module")
def pair(digits):
    return digits.generated(2, seed=1)


@pytest.fixture(scope="module")
def styles():
    """Two styles and none, of an untrained model: small, and as linear as any."""
    torch.manual_seed(0)
    g = [lz.style_bijection((3, 16, 16), depth=1, width=8) for _ in range(2)]
    unit = torch.eye(48)[..., None, None]
    operators = {"negative": -unit, "strong": 2 * unit, "plain": unit}
    made = {name: lz.CircularConvolution(k, (4, 4)) for name, k in operators.items()}
    return lz.StyleTransfer(*g, made).requires_grad_(False)


def stroke():
    """A seven in dark ink, as the browser sends it: on nothing, not on white."""
    canvas = Image.new("RGBA", (CANVAS, CANVAS))
    points = [(30, 20), (130, 20), (70, 140)]
    ImageDraw.Draw(canvas).line(points, fill=(0, 0, 0, 255), width=20, joint="curve")
    return data(canvas)


def data(image):
    """An image as the browser sends it."""
    file = io.BytesIO()
    image.save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def png(width, height, mode="L"):
    """A file of a few kilobytes that is a picture of any size."""
    file = io.BytesIO()
    Image.new(mode, (width, height)).save(file, "PNG")
    return file.getvalue()


# Pictures


def test_a_drawing_is_centered_as_the_digits_of_training_are():
    digit = drawing_from(stroke(), 28, centered=True)
    assert digit.shape == (1, 28, 28)
    ink = (digit[0] + 1) / 2
    rows, columns = ((ink.sum(axis) > 0.1).nonzero() for axis in (1, 0))
    assert rows.max() - rows.min() + 1 == 20
    mass = (ink.sum(1) * torch.arange(28)).sum() / ink.sum()
    assert abs(float(mass) - 13.5) <= 1
    assert columns.min() >= 0
    assert ink.max() > 0.9


def test_a_digit_goes_onto_the_canvas_and_comes_back(pair):
    again = drawing_from(as_data(-pair[0]), pair.shape[-1], centered=False)
    torch.testing.assert_close(again, pair[0].clamp(-1, 1), rtol=0, atol=0.01)


def test_a_drawing_of_another_size_fills_its_image():
    digit = drawing_from(stroke(), 8, centered=True)
    assert digit.shape == (1, 8, 8)
    ink = (digit[0] + 1) / 2
    assert ink[0].max() > 0.5
    assert ink[-1].max() > 0.5


def test_an_empty_canvas_is_told():
    for canvas in ("", data(Image.new("RGBA", (280, 280))), data(Image.new("L", (9, 9), 255))):
        with pytest.raises(RangeError, match="expected a digit, got an empty canvas; draw"):
            drawing_from(canvas, 28, centered=True)


@pytest.mark.parametrize(
    "crafted", ["data:,x", "/etc/passwd", "data:image/png;base64,AAAA", "é,=a"]
)
def test_a_drawing_that_is_no_image_is_told(crafted):
    with pytest.raises(FileFormatError, match="expected an image in the drawing"):
        drawing_from(crafted, 28, centered=False)


def test_a_huge_drawing_is_refused():
    huge = f"data:,{base64.b64encode(png(8000, 5000, '1')).decode()}"
    with pytest.raises(RangeError, match="at most 20 megapixels in the drawing"):
        drawing_from(huge, 28, centered=False)


def test_a_photograph_on_paper_becomes_a_digit_on_black():
    paper = torch.ones(1, 60, 40)
    paper[:, 20:40, 15:25] = -1.0
    digit = digit_from(paper, 28)
    assert digit.shape == (1, 28, 28)
    assert digit[0, 14, 14] > 0.9
    assert digit[0, 0, 0] == -1
    torch.testing.assert_close(digit_from(-paper, 28), digit)


def test_a_board_has_each_image_and_no_markup_of_others():
    html = board([torch.zeros(3, 1, 4, 4)], ["<b>"], ["a", "b", "c"])
    assert html.count("<img") == 3
    assert "<b>" not in html
    assert "http" not in html
    assert as_picture(torch.zeros(3, 4, 6)).size == (6, 4)


def test_an_upload_of_any_mode_is_reduced_and_turned_upright(tmp_path):
    for mode in ("RGBA", "P", "L", "I;16", "CMYK", "1"):
        path = tmp_path / f"{mode[0]}.{'tif' if mode == 'CMYK' else 'png'}"
        Image.new(mode, (300, 100)).save(path)
        assert photo_from(str(path), grey=False, max_side=60).shape == (3, 20, 60)
    turned = Image.Exif()
    turned[274] = 6
    Image.new("RGB", (300, 100)).save(tmp_path / "turned.jpg", exif=turned)
    assert photo_from(str(tmp_path / "turned.jpg"), grey=True, max_side=60).shape == (1, 60, 20)


def test_bad_uploads_are_told(tmp_path):
    with pytest.raises(RangeError, match="expected an image, got nothing; upload"):
        photo_from(None, grey=False, max_side=9)
    whole = png(64, 64)
    for name, content in {"text": b"no image", "half": whole[:60], "empty": b""}.items():
        path = tmp_path / f"{name}.png"
        path.write_bytes(content)
        with pytest.raises(FileFormatError, match=r"expected an image in the upload, got .*PNG"):
            photo_from(str(path), grey=False, max_side=9)


def test_a_huge_image_is_refused_by_its_header(tmp_path, monkeypatch):
    def decoded(*_):
        raise AssertionError("it was decoded")

    path = tmp_path / "huge.png"
    path.write_bytes(png(12000, 8000, "1"))
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decoded)
    with pytest.raises(RangeError, match="at most 89 megapixels in the upload, got 12000×8000"):
        photo_from(str(path), grey=False, max_side=9)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(RangeError, match="at most 20 megapixels"):
        decode_image(path.read_bytes(), "it", max_pixels=20_000_000)


def test_a_large_photograph_is_reduced_as_it_is_decoded(tmp_path, monkeypatch):
    Image.radial_gradient("L").resize((6000, 8000)).convert("RGB").save(tmp_path / "large.jpg")
    sizes, thumbnail = [], Image.Image.thumbnail

    def seen(image, size, *rest):
        sizes.append(image.size)
        thumbnail(image, size, *rest)

    monkeypatch.setattr(Image.Image, "thumbnail", seen)
    image = photo_from(str(tmp_path / "large.jpg"), grey=False, max_side=384)
    assert image.shape == (3, 384, 288)
    assert sizes == [(750, 1000)]  # an eighth, as it came out of the decoder


# Playground


def test_sums_are_those_of_the_induced_space(digits, pair):
    assert playground.law(digits, *pair) < 1e-4
    html = playground.sums(digits, *pair, 0.5, 0.5)
    assert html.count("<img") == 12
    assert html == playground.sums(digits, *pair, 0.5, 0.5)
    assert html != playground.sums(digits, *pair, 0.5, 1.0)
    assert playground.line(digits, *pair).count("<img") == 2 * playground.LINE


def test_a_factor_that_no_slider_gives_is_told(digits, pair):
    for factor in (9.0, float("nan")):
        with pytest.raises(RangeError, match="expected a factor between -2 and 2"):
            playground.sums(digits, *pair, factor, 0.0)


def test_a_digit_that_is_drawn_comes_out_finite(digits, pair):
    drawn = drawing_from(stroke(), digits.side, centered=True)
    assert playground.law(digits, drawn, pair[0]) < 1e-3
    assert playground.line(digits, drawn, pair[0]).count("<img") == 18


# One step


@pytest.mark.parametrize("steps", [1, 7])
def test_many_steps_and_their_collapse_are_one(digits, steps):
    pictures, note = one_step.samples(digits, steps, seed=3)
    assert pictures.count("<img") == 3 * one_step.COUNT
    assert float(note.split(": ")[-1].split(" dB")[0]) > 80
    assert pictures == one_step.samples(digits, steps, seed=3)[0]


def test_images_are_inverted_and_joined(digits, pair):
    pictures, note = one_step.inversion(digits, list(pair))
    assert pictures.count("<img") == 6
    assert float(note.split(": ")[1].split(" dB")[0]) > 60
    assert one_step.line(digits, list(pair)).count("<img") == 2 * playground.LINE
    assert one_step.line(digits, [pair[0]]) == ""
    for function in (one_step.inversion, one_step.line):
        with pytest.raises(RangeError, match="got none; upload"):
            function(digits, [])


def test_walks_start_in_the_middle(digits, pair):
    html = one_step.walks(digits, pair[0], 2, 3.0)
    assert html.count("<img") == 2 * one_step.WALK
    for count, reach in ((99, 1.0), (2, 1e9)):
        with pytest.raises(RangeError):
            one_step.walks(digits, pair[0], count, reach)
    with pytest.raises(RangeError, match="steps"):
        one_step.samples(digits, 10**6, 0)


def test_samples_of_a_class_are_those_of_the_library():
    flow = flow_with_classes()
    pictures, note = one_step.samples(Digits(flow), 20, 3, label=4, guidance=0.5)
    ours = re.findall(r'src="([^"]+)"', pictures)[-one_step.COUNT :]
    theirs = flow.sample(one_step.COUNT, label=4, temperature=0.8, guidance=0.5, seed=3)
    for address, x in zip(ours, theirs, strict=True):
        shown = decode_image(base64.b64decode(address.partition(",")[2]), "it", gray=True)
        torch.testing.assert_close(shown, x.clamp(-1, 1), rtol=0, atol=0.01)
    assert float(note.split(": ")[-1].split(" dB")[0]) > 80


def test_a_class_or_a_guidance_that_does_not_exist_is_told():
    digits = Digits(flow_with_classes())
    with pytest.raises(RangeError, match=r"expected a class of 0, 1, .*, got 11"):
        one_step.samples(digits, 20, 3, label=digits.named("11"))
    for guidance in (-1.0, 99.0, float("nan")):
        with pytest.raises(RangeError, match="expected the guidance between 0"):
            one_step.samples(digits, 20, 3, guidance=guidance)


# Classes


@pytest.mark.parametrize("kind", ["noise", "transport"])
def test_a_digit_is_read_and_translated_to_every_class(kind):
    flow = flow_with_classes()
    x = flow.sample(1, label=7, temperature=0.5, seed=1)
    pictures, note = classes.translated(flow, x[0], kind)
    assert note.startswith("**Read as 7**, with probability ")
    shown = re.findall(r'src="([^"]+)"', pictures)
    made = [flow.translate(x, label, kind)[0] for label in flow.classes]
    assert shown == [as_data(image) for image in (x[0], *made)]


def test_the_way_to_a_class_leads_from_the_digit_to_its_translation():
    flow = flow_with_classes()
    x = flow.sample(1, label=7, seed=1)[0]
    way = classes.way(flow, x, 3)
    torch.testing.assert_close(way[0], x, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(way[-1], flow.translate(x[None], 3)[0], rtol=1e-3, atol=1e-3)
    assert classes.line(way).count("<img") == 11
    assert as_data(way[5]) in classes.place(way, 0.25)
    for t in (-1.0, 2.0, float("nan")):
        with pytest.raises(RangeError, match="expected the place on the way between 0"):
            classes.place(way, t)
    with pytest.raises(RangeError, match="expected a map by 'noise' or 'transport'"):
        classes.translated(flow, x, "teleport")


def test_a_model_that_makes_no_digits_is_told_at_once(tmp_path):
    with pytest.raises(FileFormatError, match="expected a OneStepFlow"):
        Models([], "projector")
    g = lz.vector_bijection(4)
    lz.OneStepFlow.fit(g, [torch.randn(50, 4)]).save_pretrained(tmp_path / "vectors")
    with pytest.raises(FileFormatError, match=r"expected .noise_std. in the run\.json"):
        Models([], str(tmp_path / "vectors"))
    flow = ConditionalFlow.fit(g, torch.randn(50, 4), torch.arange(50) % 2)
    flow.save_pretrained(tmp_path / "classes")
    with pytest.raises(ShapeError, match="expected a flow of square, gray images"):
        Models([], str(tmp_path / "classes"))


# Projector


def test_a_damaged_digit_is_projected(models):
    f, digit = models.projector, models.digits.generated(1, seed=1)[0]
    x = projector.damaged(digit, "salt", 0)
    pictures, note = projector.projection(f, digit, x, 64)
    assert pictures.count("<img") == 5
    assert f"{float(f.residual(x, 64)):.2f}" in note
    assert projector.ladder(f, x).count("<img") == len(projector.RANKS)
    assert torch.equal(projector.damaged(digit, projector.NO_DAMAGE, 0), digit)
    for wrong in (0, 999):
        with pytest.raises(RangeError, match="rank"):
            projector.projection(f, digit, x, wrong)


# Style


def test_sliders_are_shares_of_operators(styles):
    assert style.shares(styles, {"negative": 1.0, "strong": 1.0}, 0.5) == {
        "plain": 0.5,
        "negative": 0.25,
        "strong": 0.25,
    }
    assert style.shares(styles, {"negative": 0.0, "strong": 0.0}, 1.0) == {"plain": 1.0}
    for weights, strength in (({"negative": 2.0}, 1.0), ({"negative": 1.0}, -1.0)):
        with pytest.raises(RangeError):
            style.shares(styles, weights, strength)


def test_strength_is_that_of_the_library(styles):
    photo = torch.rand(3, 32, 48) * 2 - 1
    ours = style.styled(styles, photo, {"negative": 1.0}, 0.3).styled
    theirs = styles.stylize(photo, "negative", strength=0.3)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_a_style_is_undone_and_followed_by_another(styles):
    photo = torch.rand(3, 32, 48) * 2 - 1
    undone = style.styled(styles, photo, {"strong": 1.0, "negative": 0.2}, 1.0, undo=True)
    torch.testing.assert_close(undone.after, undone.photo, rtol=1e-3, atol=1e-3)
    both = style.styled(styles, photo, {"negative": 1.0}, 1.0, second="strong")
    torch.testing.assert_close(both.after, styles.compose(photo, "negative", "strong"))
    assert style.styled(styles, photo, {}, 1.0).after is None


@pytest.mark.parametrize("size", [(1, 1), (3, 900), (901, 333), (64, 64)])
def test_photographs_of_any_size_fit(styles, size):
    result = style.styled(styles, torch.zeros(3, *size), {"negative": 1.0}, 1.0)
    assert max(result.photo.shape) <= 2 * style.MAX_SIDE
    assert all(side % styles.factor == 0 for side in result.photo.shape[1:])
    assert result.styled.shape == result.photo.shape


def test_a_model_of_styles_is_asked_for_at_once(tmp_path):
    with pytest.raises(FileFormatError, match="expected a StyleTransfer"):
        Models(["mnist"])
    with pytest.raises(FileFormatError, match="expected a saved model"):
        Models([str(tmp_path)])


# What is refused before Gradio sees it


def answer(path, body=b"", *, kind=b"application/json", pieces=1):
    """The status that the gate gives, or 200 if it lets a request pass whole."""
    pytest.importorskip("starlette")
    from linearizer.app.validation import NoAddresses

    seen, sent = [], []
    size = -(-len(body) // pieces) or 1
    parts = [body[i : i + size] for i in range(0, len(body), size)] or [b""]

    async def receive():
        part = parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    async def send(message):
        sent.append(message)

    async def app(scope, receive, send):
        while True:
            message = await receive()
            seen.append(message["body"])
            if not message["more_body"]:
                break
        await send({"type": "http.response.start", "status": 200, "headers": []})

    scope = {"type": "http", "method": "POST", "path": path, "headers": [(b"content-type", kind)]}
    asyncio.run(NoAddresses(app)(scope, receive, send))
    status = sent[0]["status"]
    assert status != 200 or b"".join(seen) == body
    return status


@pytest.mark.parametrize(
    "path",
    [
        "http://example.org/a.png",
        "HTTPS://example.org/a.png",
        " https:/example.org",
        "//example.org/a.png",
        "file:///etc/passwd",
        "\\\\host\\share",
        "data:image/png;base64,AAAA",
    ],
)
def test_an_address_is_refused_wherever_it_stands(path):
    file = {"path": path, "meta": {"_type": "gradio.FileData"}}
    for data in (file, [file], {"data": [1, {"background": file, "layers": [file]}]}):
        assert answer("/gradio_api/queue/join", json.dumps(data).encode(), pieces=3) == 403
    assert answer("/any", json.dumps(file).encode(), kind=b"text/plain") == 403


def test_an_address_as_data_is_refused():
    crafted = {"path": "/tmp/a.png", "url": "data:image/png;base64,AAAA"}
    assert answer("/gradio_api/queue/join", json.dumps(crafted).encode()) == 403


def test_the_server_fetches_nothing():
    for path in (
        "/gradio_api/file=https://example.org/a.png",
        "/gradio_api/file=http%3A//example.org",
        "/gradio_api/proxy=https://example.org",
    ):
        assert answer(path) == 403


def test_what_the_page_itself_sends_passes():
    local = {"path": "/tmp/folder/a.png", "url": "http://127.0.0.1:7860/gradio_api/file=/tmp/a.png"}
    assert answer("/gradio_api/queue/join", json.dumps({"data": [local]}).encode(), pieces=4) == 200
    assert answer("/gradio_api/file=/tmp/folder/a.png") == 200
    assert answer("/gradio_api/upload", b"http://" * 9, kind=b"multipart/form-data; b=x") == 200
    assert answer("/gradio_api/queue/join", b"\xff no JSON") == 200


def test_endless_requests_are_refused():
    assert answer("/gradio_api/queue/join", b"[" * 1_000_001, pieces=5) == 413
    assert answer("/gradio_api/queue/join", b"[" * 900_000) == 200


# The page


@pytest.mark.parametrize("count", [0, 1, 2])
def test_the_page_is_built_for_any_number_of_models_of_styles(styles, models, count):
    pytest.importorskip("gradio.routes", reason="needs Gradio", exc_type=ImportError)
    from linearizer.app.page import build_page
    from linearizer.app.style_tab import NONE

    models.styles = {f"model{i}": styles for i in range(count)}
    parts = build_page(models).config["components"]
    assert (NONE in [part["props"].get("value") for part in parts]) == (count == 0)
    labels = [part["props"].get("label") for part in parts]
    assert labels.count("negative") == labels.count("strong") == count
    assert "plain" not in labels
    assert labels.count("model1") == (count == 2)


@pytest.mark.parametrize("flow", ["without classes", "with classes"])
def test_the_page_says_how_to_add_classes_where_there_are_none(models, flow):
    pytest.importorskip("gradio.routes", reason="needs Gradio", exc_type=ImportError)
    from linearizer.app.classes_tab import NONE
    from linearizer.app.page import build_page

    has = flow == "with classes"
    models = copy(models)
    models.digits = Digits(flow_with_classes() if has else models.digits.flow)
    parts = [part["props"] for part in build_page(models).config["components"]]
    assert (NONE in [part.get("value") for part in parts]) != has
    assert "linearizer classes add" in NONE
    choices = [part for part in parts if part.get("elem_id") == "class"]
    assert [part["visible"] for part in choices] == [has]


# The command


def test_without_gradio_the_command_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert_one_clear_line(linearizer("app"), "gradio", "pip install 'linearizer[app]'")


@pytest.fixture
def server_settings(monkeypatch):
    """What the server sets for its whole process, put back."""
    pytest.importorskip("gradio.routes", reason="needs a Gradio that imports", exc_type=ImportError)
    for name in ("GRADIO_ANALYTICS_ENABLED", "GRADIO_TEMP_DIR"):
        monkeypatch.setenv(name, "")


@pytest.mark.usefixtures("server_settings")
def test_an_occupied_port_is_one_clear_line():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = linearizer("app", "--port", port)
    assert_one_clear_line(done, f"127.0.0.1:{port}", "--port")


@pytest.mark.usefixtures("server_settings")
def test_a_wrong_style_is_one_clear_line():
    done = linearizer("app", "--style", "mnist")
    assert done.returncode == 1
    assert "expected a StyleTransfer in mnist" in done.stderr.splitlines()[-1]


@pytest.mark.usefixtures("server_settings")
def test_a_wrong_flow_is_one_clear_line():
    assert_one_clear_line(linearizer("app", "--flow", "projector"), "expected a OneStepFlow")


def test_help_names_every_option(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    done = linearizer("app", "--help")
    for option in ("--port", "--host", "--style", "--flow"):
        assert option in done.stdout
    assert done.returncode == 0


def test_an_untouched_canvas_holds_its_first_digit_and_a_cleared_one_none():
    from linearizer.app.digit_pad import DigitPad

    pad = DigitPad(Models(), "draw", "d", seed=1, first=2)
    first = pad.digit(pad.start(), 28)
    for unfilled in ({"image": "", "drawn": False, "touched": False, "choices": []}, None):
        assert torch.equal(pad.digit(unfilled, 28), first)
    with pytest.raises(RangeError, match="empty canvas"):
        pad.digit({"image": "", "drawn": False, "touched": True}, 28)


def test_a_picture_that_is_no_digit_is_told_in_words():
    digits = Digits.load("mnist")
    digit = digits.generated(1, 0)[0]
    ramp = digit_from(torch.linspace(-1, 1, 28).expand(1, 28, 28), 28)
    assert "no digit" not in one_step.inversion(digits, [digit])[1]
    assert "**This is no digit to the model.**" in one_step.inversion(digits, [ramp])[1]
    assert "**Picture 2 is no digit" in one_step.inversion(digits, [digit, ramp])[1]
