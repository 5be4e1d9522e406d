"""Makes a folder of squares of freely licensed photographs, for `linearizer train style`.

The photographs are those that scikit-learn, scikit-image and matplotlib bring with them. Those that
are trained on may be used for anything, so that the styles may be passed on: china and flower are
CC BY 2.0; astronaut, hubble_deep_field, rocket and hopper (Grace Hopper, by the US Navy) are in the
public domain; chelsea, grass, gravel, brick and retina are CC0; immunohistochemistry has no known
restrictions. Squares of two others are last by name and held out, so that nothing is learned of
them: coffee (CC0) and motorcycle (the left half of one of the stereo pairs of Middlebury 2014).

`--held-out` makes a second folder, of larger squares of these two, for
`linearizer style evaluate --held-out`. Needs `pip install scikit-image`.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib.cbook
import numpy as np
import numpy.typing as npt
from PIL import Image
from rich.progress import track
from skimage import data
from sklearn.datasets import load_sample_image

Pixels = npt.NDArray[np.uint8]

TRAINED = {
    "china": 3.0,
    "flower": 3.0,
    "astronaut": 3.0,
    "chelsea": 3.0,
    "hubble_deep_field": 1.0,
    "rocket": 2.0,
    "grass": 0.7,
    "gravel": 0.7,
    "brick": 0.7,
    "immunohistochemistry": 1.0,
    "retina": 1.0,
    "hopper": 2.0,
}
"""How often a square is of which: textures say less than scenes."""
HELD_OUT = ("coffee", "motorcycle")

ELSEWHERE: dict[str, Callable[[], Pixels]] = {
    "china": lambda: load_sample_image("china.jpg"),
    "flower": lambda: load_sample_image("flower.jpg"),
    "hopper": lambda: np.asarray(Image.open(matplotlib.cbook.get_sample_data("grace_hopper.jpg"))),
    "motorcycle": lambda: data.stereo_motorcycle()[0],
}
"""Those that are no function of `skimage.data`."""


def photograph(name: str) -> Pixels:
    """A photograph (H, W, 3) in colour."""
    pixels = ELSEWHERE[name]() if name in ELSEWHERE else getattr(data, name)()
    return pixels if pixels.ndim == 3 else np.stack([pixels] * 3, axis=-1)


def square(pixels: Pixels, side: int, random: np.random.Generator) -> Image.Image:
    """A square of any size and place, perhaps mirrored, lightened and with other colours."""
    height, width = pixels.shape[:2]
    largest = min(height, width)
    cut = int(np.exp(random.uniform(np.log(min(side, largest)), np.log(largest))))
    top, left = random.integers(height - cut + 1), random.integers(width - cut + 1)
    part = Image.fromarray(pixels[top : top + cut, left : left + cut])
    made = np.asarray(part.resize((side, side), Image.Resampling.LANCZOS)) / 255.0
    if random.random() < 0.5:
        made = made[:, ::-1]
    if random.random() < 0.5:
        made = made[..., random.permutation(3)]
    made = made ** np.exp(random.normal(0, 0.3))
    return Image.fromarray((255 * made).round().astype(np.uint8))


def write(
    folder: Path, first: str, names: Sequence[str], size: int, random: np.random.Generator
) -> None:
    """A square of each of these photographs, in files that begin so."""
    found = {name: photograph(name) for name in dict.fromkeys(names)}
    for i, name in enumerate(track(names, f"Squares of {size}")):
        square(found[name], size, random).save(folder / f"{first}-{i:05d}-{name}.png")


def in_turn(count: int) -> list[str]:
    """The names of held-out photographs, so many."""
    return [HELD_OUT[i % len(HELD_OUT)] for i in range(count)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="folder to train on")
    parser.add_argument("--size", type=int, default=128, help="side of its squares")
    parser.add_argument("--count", type=int, default=2889, help="squares, a tenth held out")
    parser.add_argument("--held-out", type=Path, help="folder of held-out squares alone")
    parser.add_argument("--held-out-size", type=int, default=256, help="side of its squares")
    parser.add_argument("--held-out-count", type=int, default=48)
    arguments = parser.parse_args()
    if arguments.out is None and arguments.held_out is None:
        parser.error("expected a folder to write, got none; name one with --out or --held-out")
    random = np.random.default_rng(0)
    if arguments.out is not None:
        arguments.out.mkdir(parents=True)
        last = -(-arguments.count // 10)
        weights = np.array(list(TRAINED.values()))
        drawn = random.choice(
            list(TRAINED), size=arguments.count - last, p=weights / weights.sum()
        ).tolist()
        write(arguments.out, "0", drawn, arguments.size, random)
        write(arguments.out, "1", in_turn(last), arguments.size, random)
    if arguments.held_out is not None:
        arguments.held_out.mkdir(parents=True)
        names = in_turn(arguments.held_out_count)
        write(arguments.held_out, "1", names, arguments.held_out_size, np.random.default_rng(1))


if __name__ == "__main__":
    main()
