"""Every notebook of the examples runs, in another folder, and carries its outputs."""

import atexit
import shutil
from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat", reason="nbformat, which reads notebooks, is missing")
nbclient = pytest.importorskip("nbclient", reason="nbclient, which runs notebooks, is missing")
pytest.importorskip("ipykernel", reason="ipykernel, which runs notebooks, is missing")
pytest.importorskip("matplotlib")
pytest.importorskip("sklearn")
pytest.importorskip("torchmetrics")

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.ipynb"))


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 4


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_it_is_small_valid_and_shows_its_outputs(path: Path) -> None:
    assert path.stat().st_size < 500_000
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert any("image" in kind for c in cells for o in c.outputs for kind in o.get("data", {}))
    assert not any(output.output_type == "error" for c in cells for output in c.outputs)
    assert all(cell.get("id") for cell in notebook.cells)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_it_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))  # kernels share a history else
    copy = shutil.copy(path, tmp_path)
    notebook = nbformat.read(copy, as_version=4)
    executed(notebook, tmp_path)  # raises CellExecutionError at the first cell that fails


def executed(notebook: Any, folder: Path) -> Any:
    """Run it; once more if its kernel did not start.

    The ports of a kernel are chosen some time before it opens them, and another program of a busy
    machine may have taken one by then.
    """
    for tries_left in (2, 1, 0):
        client = nbclient.NotebookClient(
            notebook,
            timeout=900,
            startup_timeout=300,
            kernel_name="python3",
            resources={"metadata": {"path": str(folder)}},
        )
        try:
            return client.execute()
        except nbclient.exceptions.DeadKernelError:  # in a cell, which is that cell's fault
            raise
        except RuntimeError:
            atexit.unregister(client._cleanup_kernel)  # there is none
            if not tries_left:
                raise


def test_a_kernel_that_does_not_start_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jupyter_client.asynchronous import AsyncKernelClient

    ready, tries = AsyncKernelClient.wait_for_ready, []

    async def late(client: AsyncKernelClient, timeout: float | None = None) -> None:
        tries.append(timeout)
        if len(tries) == 1:
            raise RuntimeError("Kernel died before replying to kernel_info")
        await ready(client, timeout=timeout)

    monkeypatch.setattr(AsyncKernelClient, "wait_for_ready", late)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    cell = nbformat.v4.new_code_cell("print(6 * 7)")
    done = executed(nbformat.v4.new_notebook(cells=[cell]), tmp_path)
    assert done.cells[0].outputs[0].text == "42\n"
    assert tries == [300, 300]
