"""Strokes that become a flow: what is read of a canvas, and the tab as a visitor meets it."""

import json

import pytest
import torch

pytest.importorskip("gradio.routes", reason="needs Gradio", exc_type=ImportError)

from app_page import CHROMIUM, OPTIONS, button, opened, serving, told, until
from linearizer.app.strokes import drawing, examples, learned, pushed, read_strokes
from linearizer.errors import RangeError

GRID, LINES = 24, 11


def test_strokes_are_read_at_equal_steps_of_time() -> None:
    stroke = [[7.0, 0.0, 0.0], [7.0, 0.3, 0.9], [8.0, 0.2, 0.0], [9.0, 0.2, 0.4]]
    stroke += [[9.0 + i / 10, 0.2, 0.4] for i in range(1, 4)]
    points, times = read_strokes({"strokes": [stroke, stroke[:2]]})
    assert len(points) == 1, "a click is no stroke"
    assert points[0].shape == (60, 2)
    assert float(times[0][0]) == 0
    torch.testing.assert_close(times[0].diff(), torch.full((59,), 2.3 / 59).double())
    torch.testing.assert_close(points[0][-1], torch.tensor([0.2, 0.4]).double())
    halfway = int((times[0] - 0.5).abs().argmin())
    assert abs(float(points[0][halfway, 0]) - 0.1) < 0.01


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "up to 12 strokes"),
        ({"strokes": [[]] * 13}, "up to 12 strokes"),
        ({"strokes": []}, "long enough; draw"),
        ({"strokes": [[[0, 0, 0], [1, 1, 1]]]}, "long enough; draw"),
        ({"strokes": [[[0, 0]]]}, "draw anew"),
        ({"strokes": ["x"]}, "draw anew"),
        ({"strokes": [[[0, float("nan"), 0]]]}, "draw anew"),
        ({"strokes": [[[0, "1", 0]]]}, "draw anew"),
    ],
)
def test_what_is_no_stroke_says_so(value: object, message: str) -> None:
    with pytest.raises(RangeError, match=message):
        read_strokes(value)


def test_examples_are_learned_and_every_push_comes_to_their_end() -> None:
    pytest.importorskip("lightning")
    points, times = read_strokes({"strokes": examples()})
    model = learned(points, times)
    goal = torch.stack([x[-1] for x in points]).mean(0)
    torch.testing.assert_close(model.equilibrium(), goal)
    assert model.is_stable
    assert model.error(points, times).forecast < 0.1
    shown = drawing(model, 1.5)
    json.dumps(shown)
    assert len(shown["levels"]) == len(shown["levels"][0]) == GRID
    assert len(shown["flow"]) == LINES**2
    assert min(map(min, shown["levels"])) == 0
    assert max(map(max, shown["levels"])) == 1
    path = pushed(model, [0.9, 0.1], 1.5)
    assert path[0] == [0.9, 0.1]
    far = model.forecast(torch.tensor([0.9, 0.1]).double(), 300.0)
    torch.testing.assert_close(far, goal, rtol=1e-3, atol=1e-3)
    for wrong in (None, [2.0, 0.5], ["a", 1], [float("nan"), 0.5]):
        with pytest.raises(RangeError, match="click on it"):
            pushed(model, wrong, 1.5)


@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")
def test_a_visitor_draws_learns_and_pushes(tmp_path) -> None:
    sync = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with serving(tmp_path) as (address, log), sync.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.set_default_timeout(120_000)
        page.goto(address)
        opened(page, "Dynamics")
        canvas = page.locator("#strokes canvas")
        canvas.wait_for()

        def seen() -> str:
            return canvas.evaluate("c => c.toDataURL()")

        begun = seen()
        button(page, "learn")
        until(lambda: "reproduced" in page.locator("#dynamics-note").inner_text(), 120)
        page.wait_for_timeout(4000)
        flow = seen()
        assert flow != begun
        box = canvas.bounding_box()
        page.mouse.click(box["x"] + 0.85 * box["width"], box["y"] + 0.85 * box["height"])
        page.wait_for_timeout(5000)
        assert seen() != flow
        page.screenshot(path=tmp_path / "dynamics.png")
        page.locator("#strokes .clear").click()
        page.wait_for_timeout(300)
        button(page, "learn")
        assert "draw one or more" in told(page)
        page.mouse.move(box["x"] + 50, box["y"] + 50)
        page.mouse.down()
        page.mouse.move(box["x"] + 250, box["y"] + 300, steps=20)
        page.mouse.up()
        page.wait_for_timeout(300)
        button(page, "learn")
        page.wait_for_timeout(500)
        until(lambda: "reproduced" in page.locator("#dynamics-note").inner_text(), 120)
        browser.close()
        assert "Traceback" not in log.read_text()
