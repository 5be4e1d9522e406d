"""The core works alone; what needs more says what to install."""

import subprocess
import sys

import pytest

CORE = """
import tempfile, torch, linearizer as lz
from linearizer.testing import check_linear
from linearizer.verification import verify
f = lz.Linearizer(lz.vector_bijection(4), torch.randn(4, 4))
check_linear(f)
folder = tempfile.mkdtemp()
f.save_pretrained(folder)
assert torch.equal(lz.load(folder)(torch.ones(1, 4)), f(torch.ones(1, 4)))
assert lz.load("digits").sample(2).shape == (2, 1, 8, 8)
assert lz.load("projector").rank == 128
assert all(law.holds for law in verify(lz.load("digits")).laws)
"""

USES = {
    "scipy": ("import linearizer as lz; lz.ScaledIdentity(3).as_scipy()", "scipy"),
    "huggingface_hub": ("import linearizer as lz; lz.load('hf:a/b')", "hub"),
    "onnxruntime": (
        "import linearizer as lz; from linearizer.export import export; "
        "export(lz.Identity(3), 'x.onnx')",
        "export",
    ),
    "sklearn": ("from linearizer.data import open_data; open_data('digits')", "data"),
    "datasets": ("from linearizer.data import open_data; open_data('hf:x')", "data"),
    "PIL": ("from linearizer.data import load_letters; load_letters(2)", "data"),
    "av": (
        "from pathlib import Path; from linearizer.data.films import open_film; "
        "path = Path('x.mp4'); path.touch(); open_film(path)",
        "video",
    ),
    "lightning": ("import linearizer.training", "train"),
    "torchmetrics": ("import linearizer.metrics", "train"),
    "typer": ("from linearizer.cli.main import main; main()", "train"),
    "gradio": (
        "import sys; sys.argv = ['linearizer', 'app']; "
        "from linearizer.cli.main import main; main()",
        "app",
    ),
}
OPTIONAL = [*USES, "matplotlib", "rich", "jinja2", "zuko", "FrEIA", "normflows", "linear_operator"]


def without(packages, code, folder):
    """Run code where importing some packages fails."""
    block = f"import sys; sys.modules.update(dict.fromkeys({packages!r})); "
    return subprocess.run(
        [sys.executable, "-c", block + code],
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
    )


def test_the_core_works_without_any_extra(tmp_path):
    done = without(OPTIONAL, CORE, tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("package", USES)
def test_a_missing_extra_gives_its_install_line(package, tmp_path):
    code, extra = USES[package]
    done = without([package], code, tmp_path)
    assert done.returncode == 1
    assert f"pip install 'linearizer[{extra}]'" in done.stderr
