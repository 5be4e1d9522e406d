"""Makes a folder of small squares of freely licensed photographs, for `linearizer train style`.

The photographs are those that scikit-learn and scikit-image bring with them (public domain, CC0,
CC BY), so that the styles trained on them may be passed on. Squares of one photograph are last by
name and no others are of it: they are held out. Needs `pip install scikit-image`.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image
from rich.progress import track
from skimage import data
from sklearn.datasets import load_sample_images

TRAINED = ("astronaut", "chelsea", "hubble_deep_field", "rocket", "grass")
HELD_OUT = "coffee"
SQUARE = 64


def photographs() -> dict[str, np.ndarray]:
    """Colour photographs (H, W, 3) by name."""
    samples = load_sample_images()
    found = dict(zip(("china", "flower"), samples.images, strict=True))
    for name in (*TRAINED, HELD_OUT):
        picture = getattr(data, name)()
        found[name] = picture if picture.ndim == 3 else np.stack([picture] * 3, axis=-1)
    return found


def square(picture: np.ndarray, random: np.random.Generator) -> Image.Image:
    """A square of any size and place, perhaps mirrored, lightened and with other colours."""
    height, width = picture.shape[:2]
    side = int(np.exp(random.uniform(np.log(SQUARE), np.log(min(height, width)))))
    top, left = random.integers(height - side + 1), random.integers(width - side + 1)
    part = Image.fromarray(picture[top : top + side, left : left + side])
    pixels = np.asarray(part.resize((SQUARE, SQUARE), Image.Resampling.LANCZOS)) / 255.0
    if random.random() < 0.5:
        pixels = pixels[:, ::-1]
    if random.random() < 0.5:
        pixels = pixels[..., random.permutation(3)]
    pixels = pixels ** np.exp(random.normal(0, 0.3))
    return Image.fromarray((255 * pixels).round().astype(np.uint8))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=6000, help="squares, a tenth held out")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True)
    found, random = photographs(), np.random.default_rng(0)
    names = [name for name in found if name != HELD_OUT]
    held_out = arguments.count // 10
    for i in track(range(arguments.count), "Squares"):
        last = i >= arguments.count - held_out
        name = HELD_OUT if last else names[i % len(names)]
        square(found[name], random).save(arguments.out / f"{last:d}-{i:05d}-{name}.png")


if __name__ == "__main__":
    main()
