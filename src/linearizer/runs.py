"""The training runs as data: what a command asks for, a function takes, and a run notes down.

Every field is declared here once. `linearizer.cli` makes an option of it, `linearizer.training`
reads it, and `run.json` holds it. Nothing here imports Lightning, so that help is shown at once.
"""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from linearizer.errors import RangeError
from linearizer.operators.mask import Estimator

MOST_STEPS = 1_000_000_000
LARGEST_SEED = 2**63 - 1  # half of torch's range, because some seeds are followed by the next ones

Precision = Literal["32", "bf16"]
StyleOperator = Literal["convolution", "depthwise"]
ProjectionName = Literal["diagonal", "orthogonal", "oblique"]
DynamicsKind = Literal["stable", "free", "conservative"]


class Option(NamedTuple):
    """The help of a field, and the smallest and largest number that it takes.

    What a command cannot do without, such as its files, may be an argument without `--name`.
    """

    help: str
    min: float | None = None
    max: float = 1_000_000
    is_argument: bool = False


DataDir = Annotated[Path | None, Option("Where the files of mnist or faces64 are.")]
Tensorboard = Annotated[bool, Option("Log for TensorBoard, beside CSV.")]


@dataclass(frozen=True, kw_only=True)
class Run:
    """A training run.

    Attributes:
        application: What it trains, as `linearizer train` names it.
        unnoted: Fields that do not change the result, so that a run is resumed whatever they are.
    """

    application: ClassVar[str]
    unnoted: ClassVar[frozenset[str]] = frozenset({"out", "overwrite", "tensorboard"})

    out: Annotated[Path, Option("Folder of the run.")]
    max_minutes: Annotated[
        float | None, Option("Train no longer than this, even if steps are left.", 0.01)
    ] = None
    seed: Annotated[int, Option("Seed of everything random.", 0, LARGEST_SEED)] = 0
    overwrite: Annotated[bool, Option("Replace a finished run.")] = False

    def noted(self) -> dict[str, Any]:
        """The fields that decide the result, as JSON holds them."""
        return {
            "application": self.application,
            **{
                name: str(value) if isinstance(value, Path) else value
                for name, value in asdict(self).items()
                if name not in self.unnoted
            },
        }


@dataclass(frozen=True, kw_only=True)
class DemoRun(Run):
    """A one-step flow of the digits that scikit-learn ships, measured and drawn."""

    application = "demo"

    out: Annotated[Path, Option("Folder for model, numbers and pictures.")] = Path("runs/demo")
    steps: Annotated[int, Option("Training steps of 256 digits.", 1, MOST_STEPS)] = 2000
    max_minutes: Annotated[
        float, Option("Train no longer than this, even if steps are left.", 0.01)
    ] = 5.0
    overwrite: Annotated[bool, Option("Replace a finished run in the folder.")] = False


@dataclass(frozen=True, kw_only=True)
class ImageRun(Run):
    """A run on a data set of images; a field of `TrainingConfig` that is None is the preset's."""

    data: Annotated[str, Option("digits, mnist, faces64, hf:NAME, or a folder or zip of images.")]
    data_dir: DataDir = None
    preset: Annotated[
        str | None, Option("Size of g and of the run: digits, mnist, faces64 or quick.")
    ] = None
    init: Annotated[
        str | None, Option("Start from the g of this flow or projector, a folder or a name.")
    ] = None
    size: Annotated[int | None, Option("Side that a folder's images are resized to.", 4, 4096)] = (
        None
    )
    steps: Annotated[int | None, Option("Optimizer steps.", 1, MOST_STEPS)] = None
    batch_size: Annotated[int | None, Option("Images per step.", 1)] = None
    depth: Annotated[int | None, Option("Number of couplings.", 1, 1000)] = None
    width: Annotated[int | None, Option("Hidden width of a coupling.", 1, 65_536)] = None
    noise: Annotated[float | None, Option("Dequantization noise, in gray levels.", 0.0)] = None
    learning_rate: Annotated[float | None, Option("Peak learning rate.", 0.0)] = None
    precision: Annotated[
        Precision | None,
        Option("Type of the couplings' networks in training; the rest is float32."),
    ] = None
    tensorboard: Tensorboard = False


@dataclass(frozen=True, kw_only=True)
class OneStepRun(ImageRun):
    """A one-step flow, with the operator in closed form or by the paper's training."""

    application = "one-step"

    classes: Annotated[
        bool, Option("An operator for each label of the data; g learns to tell them apart.")
    ] = False
    components: Annotated[
        int | None,
        Option(
            "An operator for each of so many clusters, without labels: k-means of the first "
            "latents, and then the likeliest cluster of each image, renewed at every step.",
            2,
        ),
    ] = None
    stable_inverse: Annotated[
        bool, Option("Train a g that can be inverted on any input, also far from the data.")
    ] = False
    operator: Annotated[
        Literal["closed-form", "paper"],
        Option("Closed form, or the paper's trained hypernetwork."),
    ] = "closed-form"
    rank: Annotated[int, Option("Rank of the paper's operator.", 1)] = 16
    reconstruction: Annotated[
        float | None, Option("Weight of the reconstruction under latent noise.", 0.0)
    ] = None
    lpips_backbone: Annotated[
        Path | None, Option("Weights of SqueezeNet 1.1: adds the paper's perceptual loss.")
    ] = None
    lpips_heads: Annotated[Path | None, Option("Weights of its LPIPS heads.")] = None


@dataclass(frozen=True, kw_only=True)
class ProjectorRun(ImageRun):
    """A projector, with the projection in closed form or by the paper's training."""

    application = "projector"

    batch_size: Annotated[int | None, Option("Images per step.", 2)] = None
    objective: Annotated[
        Literal["ours", "paper"], Option("Ours, in closed form, or the paper's trained projection.")
    ] = "ours"
    rank: Annotated[
        int | None,
        Option("Largest rank: by default 128, or half of the pixels; the paper's is learned."),
    ] = None
    projection: Annotated[ProjectionName, Option("Operator of the paper's objective.")] = "diagonal"
    estimator: Annotated[Estimator, Option("Gradient estimator of its mask.")] = "straight-through"
    noise: Annotated[float | None, Option("Noise of our objective, in gray levels.", 0.0)] = None
    restoration: Annotated[
        float, Option("Weight of the restoration against the likelihood, in our objective.", 0.0)
    ] = 20.0
    damaged: Annotated[float, Option("Share of damaged images, in our objective.", 0.0, 1.0)] = 0.5
    apart: Annotated[
        float, Option("Weight of the distance of what is like no data, in our objective.", 0.0)
    ] = 0.03
    redraw: Annotated[
        bool, Option("Make data of what lies far from the data, in our objective.")
    ] = True


@dataclass(frozen=True, kw_only=True)
class StyleRun(Run):
    """Two shared bijections, and a linear operator per teacher."""

    application = "style"

    content: Annotated[str, Option("Contents: a folder or zip of images, faces64, or hf:NAME.")]
    teacher: Annotated[
        list[str], Option("NAME=FILE, weights of a fast-neural-style network; one or more.")
    ]
    data_dir: Annotated[Path | None, Option("Where the files of faces64 are.")] = None
    size: Annotated[int, Option("Side of the contents.", 16, 4096)] = 64
    contents: Annotated[
        int | None, Option("Number of contents to train on; all by default.", 64)
    ] = None
    depth: Annotated[int, Option("Couplings of each bijection.", 1, 1000)] = 6
    width: Annotated[int, Option("Channels inside a coupling.", 1, 65_536)] = 96
    operator: Annotated[
        StyleOperator, Option("Convolutions that mix all channels, or filter each by itself.")
    ] = "convolution"
    kernel: Annotated[
        int, Option("Side of a style's kernel, odd; 1 mixes channels alone.", 1, 1001)
    ] = 5
    variations: Annotated[
        int, Option("Styles in other colors, for a g that fits styles it never saw.", 0, 1000)
    ] = 6
    steps: Annotated[int, Option("Optimizer steps.", 1, MOST_STEPS)] = 6000
    precision: Annotated[Precision, Option("Type of the couplings' networks in training.")] = "32"
    objective: Annotated[
        Literal["ours", "paper"],
        Option("Ours, or the paper's: one content, and one number per channel."),
    ] = "ours"
    tensorboard: Tensorboard = False

    @property
    def teachers(self) -> dict[str, Path]:
        """The files of the teachers by the names of their styles.

        Raises:
            RangeError: If one is not NAME=FILE.
        """
        return dict(map(named_file, self.teacher))

    def noted(self) -> dict[str, Any]:
        """As of any run; of the teachers the names of their files, wherever these are."""
        settings = {k: v for k, v in super().noted().items() if k != "teacher"}
        return {**settings, "teachers": {name: path.name for name, path in self.teachers.items()}}


@dataclass(frozen=True, kw_only=True)
class DynamicsRun(Run):
    """Linear dynamics of trajectories in CSV files."""

    application = "dynamics"

    files: Annotated[
        list[Path],
        Option("CSV files with a line of names; each is a trajectory.", is_argument=True),
    ]
    time: Annotated[str, Option("Column of times: numbers, or dates in ISO 8601.")] = "t"
    trajectory: Annotated[
        str | None, Option("Column that tells the trajectories in a file apart.")
    ] = None
    columns: Annotated[
        str | None, Option("Coordinates, as NAME,NAME,...; all other columns by default.")
    ] = None
    kind: Annotated[
        DynamicsKind,
        Option("Stable: all comes to rest. Conservative: a norm is kept. Free: either, or growth."),
    ] = "stable"
    padding: Annotated[int, Option("Zeros appended to each point, for more room.", 0, 1000)] = 0
    delays: Annotated[int, Option("Earlier rows that belong to a point.", 0, 1000)] = 0
    goal: Annotated[
        str | None, Option("Point that all comes to, as 1,2; found in training by default.")
    ] = None
    missing: Annotated[
        Literal["raise", "skip"], Option("Refuse rows with empty cells, or leave them out.")
    ] = "raise"
    held_out: Annotated[
        float, Option("Share of the trajectories that only measures the result.", 0.0, 0.9)
    ] = 0.2
    depth: Annotated[int, Option("Couplings of g; none for a linear system.", 0, 1000)] = 4
    width: Annotated[int, Option("Hidden width of a coupling.", 1, 65_536)] = 32
    steps: Annotated[int, Option("Steps on random pairs of times, at most.", 1, MOST_STEPS)] = 400
    polish: Annotated[
        int, Option("Iterations on whole trajectories after them, at most.", 0, MOST_STEPS)
    ] = 300
    batch_size: Annotated[int, Option("Pairs of times per step.", 1)] = 256
    learning_rate: Annotated[float, Option("Peak learning rate.", 0.0)] = 3e-3
    patience: Annotated[
        int, Option("Looks, one every 50 steps, without progress before training stops.", 1)
    ] = 20
    tensorboard: Tensorboard = False

    def noted(self) -> dict[str, Any]:
        """As of any run; of the files their names, wherever these are."""
        return {**super().noted(), "files": [Path(file).name for file in self.files]}


def numbers_of(text: str) -> list[float]:
    """The numbers of `1,2.5`.

    Raises:
        RangeError: If one of them is none, or not finite.
    """
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError as error:
        raise RangeError(f"expected numbers such as 1,2.5, got {text!r}; write those") from error
    if not all(map(math.isfinite, numbers)):
        raise RangeError(f"expected finite numbers, got {text!r}; write others")
    return numbers


def named_file(text: str) -> tuple[str, Path]:
    """NAME=FILE in its two parts.

    Raises:
        RangeError: If it is something else.
    """
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise RangeError(f"expected NAME=FILE, got {text!r}; give a name and a file")
    return name, Path(path)
