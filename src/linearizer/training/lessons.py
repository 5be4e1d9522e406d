"""What teachers make of contents, for g to learn."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from linearizer._files import atomic_write
from linearizer.data.images import as_bytes, resized
from linearizer.display.progress import track
from linearizer.training.objectives.style_matching import Lessons
from linearizer.training.teachers import teach

TEACHING_PIXELS = 50 * 64 * 64
"""Of one batch for a teacher."""
SMALLEST = 64


def taught(
    teacher: nn.Module, contents: Tensor, name: str, *, shifted: bool = True
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of contents and what a teacher makes of them, with a progress bar.

    Args:
        teacher: Images in [-1, 1] to such images.
        contents: (N, C, H, W).
        name: Of the teacher, for the bar.
        shifted: Whether every batch is moved by a few pixels of its own (see `teach`).
    """
    shifts = torch.Generator().manual_seed(0)
    batches = contents.split(max(1, TEACHING_PIXELS // contents[0, 0].numel()))
    for x in track(batches, f"The teacher {name}, {contents.shape[-1]} pixels"):
        down, right = torch.randint(4 if shifted else 1, (2,), generator=shifts).tolist()
        yield x, teach(teacher, x, shift=(down, right))


def lessons_of(
    teachers: Mapping[str, nn.Module], contents: Tensor, folder: Path, *, halved: bool
) -> list[Lessons]:
    """Lessons at the size of the contents, and at its halves down to 64 pixels, smallest first.

    What the teachers make is kept in the folder, so that a resumed run has it.
    """
    sizes = [contents.shape[-1]]
    while halved and sizes[0] % 8 == 0 and sizes[0] >= 2 * SMALLEST:
        sizes.insert(0, sizes[0] // 2)
    lessons = []
    for side in sizes:
        images = contents
        if side != contents.shape[-1]:
            images = torch.stack([resized(image, (side, side)) for image in contents])
        targets = torch.stack(
            [_targets(folder, name, teacher, images) for name, teacher in teachers.items()]
        )
        lessons.append(Lessons(as_bytes(images), targets))
    return lessons


def _targets(folder: Path, name: str, teacher: nn.Module, contents: Tensor) -> Tensor:
    path = folder / f"{name}-{contents.shape[-1]}.safetensors"
    if path.exists():
        return load_file(path)["targets"]
    targets = torch.cat([as_bytes(y) for _, y in taught(teacher, contents, name)])
    with atomic_write(path) as whole:
        save_file({"targets": targets}, whole)
    return targets
