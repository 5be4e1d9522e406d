"""A server of the page, with what a visitor does in Chromium."""

import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

CHROMIUM = shutil.which("chromium")
OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SERVER = """
import sys

def outside(event, arguments):
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host = str(arguments[1][0])
    elif event == "socket.getaddrinfo":
        host = str(arguments[0])
    else:
        return
    if host not in ("127.0.0.1", "::1", "localhost"):
        print("OUTSIDE", event, host, file=sys.stderr, flush=True)
        raise OSError("no network here")

sys.addaudithook(outside)
from linearizer.cli.main import main
main()
"""


@contextmanager
def serving(folder, *options):
    """The address of a running server, and the file of what it says."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", SERVER, "app", "--port", str(port), *options]
    log = folder / "log.txt"
    address = f"http://127.0.0.1:{port}"
    with log.open("w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, cwd=folder)
        try:
            until(lambda: address in log.read_text() or process.poll() is not None, 60)
            assert process.poll() is None, log.read_text()
            yield address, log
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def until(done, seconds):
    deadline = time.monotonic() + seconds
    while not done() and time.monotonic() < deadline:
        time.sleep(0.1)


def opened(page, name):
    page.get_by_role("tab", name=name, exact=True).click()


def sources(page, where):
    return page.eval_on_selector_all(f"{where} img", "all => all.map(image => image.src)")


def changed(page, where, before):
    """The pictures there, once they are others than before."""
    until(lambda: sources(page, where) not in ([], before), 30)
    after = sources(page, where)
    assert after not in ([], before), f"{where} did not change"
    return after


def drawn(page, canvas):
    """A stroke in the middle of a canvas, by the mouse."""
    box = page.locator(f"{canvas} canvas").first.bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(middle[0] - 60, middle[1] - 70)
    page.mouse.down()
    for dx, dy in ((60, -70), (0, 80)):
        page.mouse.move(middle[0] + dx, middle[1] + dy, steps=8)
    page.mouse.up()
    page.wait_for_timeout(300)


def told(page):
    """The message that a mistake is answered with; it is put away."""
    toast = page.locator(".toast-body").first
    text = toast.inner_text()
    page.locator(".toast-close").first.click()
    toast.wait_for(state="detached")
    return text


def button(page, name):
    page.click(f"#{name}")
