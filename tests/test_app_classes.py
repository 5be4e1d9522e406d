"""The page with a flow that has classes, as a visitor meets it."""

import pytest

from digit_flows import flow_with_classes

pytest.importorskip("gradio.routes", reason="needs Gradio", exc_type=ImportError)
sync = pytest.importorskip("playwright.sync_api", reason="needs playwright")
from app_page import (  # noqa: E402
    CHROMIUM,
    OPTIONS,
    button,
    changed,
    drawn,
    opened,
    serving,
    sources,
    told,
    until,
)

if CHROMIUM is None:
    pytest.skip("needs Debian's chromium", allow_module_level=True)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("app")
    flow_with_classes().save_pretrained(folder / "classes")
    with serving(folder, "--flow", str(folder / "classes")) as running:
        yield running


@pytest.fixture
def page(server):
    """The page as a visitor finds it; whatever the test does there is no failure of the server."""
    address, log = server
    with sync.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.goto(address)
        page.wait_for_selector("#sums img")
        yield page
        browser.close()
    assert "Traceback" not in log.read_text()
    assert "OUTSIDE" not in log.read_text()


def chosen(page, where, name):
    page.click(f"#{where} input")
    page.get_by_role("option", name=name, exact=True).click()


def test_a_digit_is_drawn_and_shown_as_all_classes(page):
    opened(page, "Classes")
    first = changed(page, "#translated", [])
    assert len(first) == 11, "the digit and ten classes"
    page.get_by_label("optimal transport").check()
    transported = changed(page, "#translated", first)
    assert transported[0] == first[0], "the same digit"
    way, place = changed(page, "#way", []), changed(page, "#place", [])
    chosen(page, "to-the-class", "8")
    way = changed(page, "#way", way)
    place = changed(page, "#place", place)
    page.get_by_label("number input for t, from yours").fill("1")
    assert changed(page, "#place", place) == way[-1:], "the end of the way"
    page.locator("#hand").get_by_text("Clear").click()
    button(page, "translate")
    assert "expected a digit, got an empty canvas; draw one" in told(page)
    drawn(page, "#hand")
    said = page.inner_text("#read")
    button(page, "translate")
    changed(page, "#translated", transported)
    until(lambda: page.inner_text("#read") != said, 10)
    assert page.inner_text("#read").startswith("Read as ")
    assert sources(page, "#way") != way


def test_samples_are_of_a_class(page):
    opened(page, "One step")
    every = changed(page, "#samples", [])
    chosen(page, "class", "3")
    threes = changed(page, "#samples", every)
    page.get_by_label("number input for guidance").fill("1")
    button(page, "sample")
    assert len(changed(page, "#samples", threes)) == 24


def test_the_other_tabs_work_with_it(page):
    button(page, "add")
    page.locator("#u .choices button").nth(4).click()
    before = sources(page, "#sums")
    button(page, "add")
    changed(page, "#sums", before)
    opened(page, "Projector")
    assert len(changed(page, "#projection", [])) == 5
