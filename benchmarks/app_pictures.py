"""The pictures of docs/how-to/app.md: the page itself, used in Chromium.

    python benchmarks/app_pictures.py --out docs/images [--style RUN] [--flow RUN]

The digits are drawn by the mouse or generated; the photograph is one that scikit-learn ships. The
picture of classes needs a flow that has some.
"""

import argparse
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

SEVEN = ((-60, -70), (60, -70), (-10, 85))
WIDTH, COLORS, WAIT = 960, 200, 60


def served(style: list[str], flow: str) -> tuple[subprocess.Popen[bytes], str]:
    """The page on a free port of this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = [word for name in style for word in ("--style", name)]
    command = [sys.executable, "-m", "linearizer", "app", "--port", str(port), *options]
    command += ["--flow", flow]
    process = subprocess.Popen(command)
    deadline = time.monotonic() + WAIT
    while time.monotonic() < deadline:
        with socket.socket() as knock:
            if knock.connect_ex(("127.0.0.1", port)) == 0:
                return process, f"http://127.0.0.1:{port}"
        time.sleep(0.3)
    raise TimeoutError("the page did not answer")


def draw(page: Page, pad: str, points: tuple[tuple[int, int], ...]) -> None:
    """A stroke on a cleared canvas."""
    page.locator(pad).get_by_text("Clear").click()
    box = page.locator(f"{pad} canvas").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x + points[0][0], y + points[0][1])
    page.mouse.down()
    for dx, dy in points[1:]:
        page.mouse.move(x + dx, y + dy, steps=8)
    page.mouse.up()


def answered(page: Page, button: str, result: str) -> None:
    """Press a button, and wait until the first picture of a result is another."""
    picture = page.locator(f"{result} img").last
    before = picture.get_attribute("src")
    page.click(button)
    deadline = time.monotonic() + WAIT
    while picture.get_attribute("src") == before and time.monotonic() < deadline:
        page.wait_for_timeout(200)
    page.wait_for_timeout(1000)


def save(page: Page, path: Path) -> None:
    """The whole page, small enough for a repository."""
    page.screenshot(path=path, full_page=True)
    with Image.open(path) as shot:
        size = (WIDTH, round(shot.height * WIDTH / shot.width))
        small = shot.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    small.quantize(COLORS).save(path, optimize=True)
    print(path, f"{path.stat().st_size / 1e3:.0f} kB")


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--style", action="append", default=[])
    parser.add_argument("--flow", default="mnist")
    options = parser.parse_args()
    process, address = served(options.style, options.flow)
    try:
        with sync_playwright() as play:
            browser = play.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
            )
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(address)
            page.wait_for_selector("#sums img")
            page.wait_for_timeout(500)
            draw(page, "#u", SEVEN)
            answered(page, "#add", "#sums")
            save(page, options.out / "app-playground.png")
            page.get_by_role("tab", name="Classes", exact=True).click()
            if not page.locator("#no-classes").count():
                page.wait_for_selector("#translated img")
                draw(page, "#hand", SEVEN)
                answered(page, "#translate", "#translated")
                save(page, options.out / "app-classes.png")
            page.get_by_role("tab", name="Style", exact=True).click()
            page.wait_for_selector("#styled img")
            for style, weight in (("candy", "0"), ("mosaic", "0.5"), ("udnie", "0.5")):
                page.get_by_label(f"number input for {style}").fill(weight)
            page.get_by_label("flower").check()
            page.get_by_label("undo it").check()
            answered(page, "#stylize", "#styled")
            page.wait_for_selector("#after img")
            page.wait_for_timeout(4000)
            save(page, options.out / "app-style.png")
            browser.close()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


if __name__ == "__main__":
    main()
