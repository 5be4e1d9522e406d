"""The data sets that the command line knows by name, in two parts."""

import warnings
from pathlib import Path

from linearizer._names import meant
from linearizer.data.digits import load_digits
from linearizer.data.faces import load_faces
from linearizer.data.folder import load_image_folder
from linearizer.data.hub import load_hub
from linearizer.data.images import Images
from linearizer.data.mnist import load_mnist
from linearizer.data.pixels import SkippedFilesWarning
from linearizer.errors import FileFormatError, RangeError
from linearizer.saving.hub import HUB

OWN = ("digits", "mnist", "faces64")
"""The data sets that have a name of their own here."""

DIGITS_HELD_OUT = 297
FACES_HELD_OUT = 1000


def open_data(
    name: str, data_dir: str | Path | None = None, *, seed: int = 0, size: int | None = None
) -> tuple[Images, Images]:
    """The training and the held-out part of a data set.

    | name | read from | held out |
    |---|---|---|
    | `digits` | scikit-learn | 297 drawn with `seed` |
    | `mnist` | the four idx files in `data_dir` | its 10,000 test images |
    | `faces64` | `celeba_10k_89x109.zip` or any images in `data_dir` | the last 1,000 by name |
    | `hf:NAME` | the hub, a local folder or parquet file | its test split, or the last tenth |
    | a path | a folder or a zip of images | the last tenth by name |

    The last tenth is that of each class, if there are classes. Of fewer than 10,000 faces a
    tenth is held out.

    Args:
        name: One of the above.
        data_dir: Where `mnist` and `faces64` lie; with `hf:NAME`, where downloads are kept.
        seed: Seed of the part of the digits.
        size: Side of the images of a path or of `hf:NAME`; the smallest center square's by
            default.

    Raises:
        FileFormatError: If the data is missing or damaged.
        RangeError: If `size` is given to a data set that has one.
        MissingExtraError: If a package that reads it is not installed.

    Example:
        >>> from linearizer.data import open_data
        >>> train, held_out = open_data("digits")
        >>> len(train), len(held_out), train.shape
        (1500, 297, (1, 8, 8))
    """
    if size is not None and name in OWN:
        raise RangeError(f"expected no size with {name}, got {size}; its images have one size")
    if name in OWN and data_dir is None and Path(name).is_dir():
        warnings.warn(
            f"{name} is the data set of that name, and not the folder here; for that write "
            f"./{name}",
            SkippedFilesWarning,
            stacklevel=2,
        )
    if name == "digits":
        return load_digits().split(DIGITS_HELD_OUT, seed)
    if name == "mnist":
        folder = _required(data_dir, name)
        return load_mnist(folder, train=True), load_mnist(folder, train=False)
    if name == "faces64":
        return load_faces(_required(data_dir, name)).split_last(at_most=FACES_HELD_OUT)
    if name.startswith(HUB):
        return load_hub(name.removeprefix(HUB), cache=data_dir, size=size)
    if not name or not Path(name).exists():
        raise FileFormatError(
            f"expected digits, mnist, faces64, {HUB}NAME, or a folder or .zip of images, "
            f"got {name!r}, which does not exist{meant(name, OWN)}; check the name"
        )
    return load_image_folder(name, size=size).split_last()


def _required(data_dir: str | Path | None, name: str) -> Path:
    if data_dir is None:
        raise FileFormatError(
            f"expected a folder with the files of {name}, got none; name it with --data-dir"
        )
    return Path(data_dir)
