"""The commands that show what linear networks do: a training run, and a page in the browser."""

from typing import Annotated

import typer

from linearizer.cli.options import takes
from linearizer.display.console import say
from linearizer.display.tables import Table
from linearizer.runs import DemoRun

CODE = """import linearizer as lz
flow = lz.load("{folder}")
digits = flow.sample(16)              # (16, 1, 8, 8) in [-1, 1], in one step
threes = flow.sample(16, label=3)
f = flow.at(3).collapse()             # the sampler of threes: one linear map, noise to digit
print(f.rank(), f.cond(), f.pinv()(digits).shape)
eights = flow.translate(digits, to=8) # in the same hand"""


@takes(DemoRun)
def demo(run: DemoRun) -> None:
    """Train a one-step generator of ten classes of digits, each a linear map, and use the maps.

    Takes the 1,797 real 8x8 digits that scikit-learn ships. An interrupted run goes on where
    it stopped when it is started again.
    """
    from linearizer.evaluation.demo_run import REPORT, run_demo  # noqa: PLC0415  (slow to import)

    code = CODE.format(folder=run.out)
    rows = run_demo(run, code)
    Table(["what", "measured", "threshold", ""], rows).show()
    say(f"\nReport with pictures: {(run.out / REPORT).resolve()}")
    say(f"\nUse it:\n\n{code}")


def app(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 7860,
    host: Annotated[
        str, typer.Option(help="Address to listen on; this machine alone by default.")
    ] = "127.0.0.1",
    style: Annotated[
        list[str] | None,
        typer.Option(help="Folder or name of a model of styles; several by repeating it."),
    ] = None,
    flow: Annotated[
        str, typer.Option(help="Folder or name of a flow of handwritten digits.")
    ] = "mnist",
) -> None:
    """Show what linear networks do, on a page in the browser.

    Works without any network. Ctrl+C stops it.
    """
    from linearizer.app.server import serve  # noqa: PLC0415  (Gradio is slow to import)

    serve(host, port, style or None, flow)
