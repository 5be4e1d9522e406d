"""Image data sets of the Hugging Face hub, or of its formats on this machine."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from linearizer._extras import needs_extra
from linearizer.data.files import ImageFiles
from linearizer.data.images import Images
from linearizer.data.pixels import read_pixels
from linearizer.errors import FileFormatError


def load_hub(
    name: str, *, cache: str | Path | None = None, size: int | None = None
) -> tuple[Images, Images]:
    """The training and the held-out part of a data set that `datasets.load_dataset` reads.

    The images are those of the column `image`, or else of the only column of images, treated as
    in `load_image_folder`; the labels those of `label` or `labels`, or zeros. Held out is the
    split `test`, or else the last tenth (see `Images.split_last`).

    Args:
        name: Name on the hub, or path to a parquet file or a folder of images or parquet files.
        cache: Where downloads are kept, if not where Hugging Face keeps them.
        size: Side of the images; the smallest center square's by default.

    Raises:
        FileFormatError: If the data set cannot be loaded or holds no readable image.
        MissingExtraError: If `datasets` or Pillow is not installed.
    """
    splits = _load(name, cache)
    held_out = splits.get("test") if len(splits) > 1 else None
    train = splits.get("train", next(rows for rows in splits.values() if rows is not held_out))
    parts = [train] if held_out is None else [train, held_out]

    rows = [_column(part, name) for part in parts]
    starts = [0, len(parts[0]), sum(map(len, parts))]
    names = [str(row) for part in parts for row in range(len(part))]

    def read(i: int) -> bytes:
        part = int(i >= starts[1])
        column, field = rows[part]
        image: dict[str, Any] = column[i - starts[part]][field]
        return image["bytes"] or Path(image["path"]).read_bytes()

    pixels, kept = read_pixels(ImageFiles(f"{name} (by row)", names, read), size=size)
    everything = Images.from_bytes(pixels, _labels(parts)[kept])
    if held_out is None:
        return everything.split_last()
    in_train = torch.tensor(kept) < starts[1]
    if in_train.all() or not in_train.any():
        raise FileFormatError(
            f"expected readable images in both parts of {name}, got one part without any; "
            "download the data set again"
        )
    return everything.take(in_train), everything.take(~in_train)


def _load(name: str, cache: str | Path | None) -> dict[str, Any]:
    """The splits of a data set."""
    with needs_extra("datasets"):
        import datasets  # noqa: PLC0415  (slow to import, and an extra)
    cache_dir = None if cache is None else str(cache)
    try:
        if Path(name).suffix == ".parquet":
            loaded = datasets.load_dataset("parquet", data_files=name, cache_dir=cache_dir)
        else:
            loaded = datasets.load_dataset(name, cache_dir=cache_dir)
    except Exception as error:  # its own classes, OSError, ValueError, pyarrow's, ...
        raise FileFormatError(
            f"expected a data set of the Hugging Face hub, or a folder or parquet file in its "
            f"formats, got {name!r}, which cannot be loaded ({error}); check the name, and the "
            "connection if it is on the hub"
        ) from error
    return dict(loaded)


def _column(rows: Any, name: str) -> tuple[Any, str]:
    """The rows with their images left encoded, and the name of that column."""
    with needs_extra("datasets"):
        from datasets import Image  # noqa: PLC0415
    columns = [key for key, kind in rows.features.items() if isinstance(kind, Image)]
    if "image" in rows.features:
        columns = ["image"]
    if len(columns) != 1:
        raise FileFormatError(
            f"expected a column named image in {name}, got {', '.join(rows.features)}; "
            "rename the column of the images"
        )
    field = columns[0]
    try:
        return rows.select_columns([field]).cast_column(field, Image(decode=False)), field
    except Exception as error:  # pyarrow's errors
        raise FileFormatError(
            f"expected encoded images in the column {field} of {name}, got {rows.features[field]}; "
            "store it as datasets.Image"
        ) from error


def _labels(parts: Sequence[Any]) -> Tensor:
    """Whole numbers as they are, other labels by their place in order; zeros if some lack."""
    for key in ("label", "labels"):
        if all(key in part.features for part in parts):
            labels = [label for part in parts for label in part[key]]
            if all(isinstance(label, int) for label in labels):
                return torch.tensor(labels, dtype=torch.long)
            if all(isinstance(label, str) for label in labels):
                number = {label: i for i, label in enumerate(sorted(set(labels)))}
                return torch.tensor([number[label] for label in labels], dtype=torch.long)
    return torch.zeros(sum(map(len, parts)), dtype=torch.long)
