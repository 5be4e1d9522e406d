"""Measure nonlinear components, transport between tables, and growth with rows: docs/components.md.

    python benchmarks/components.py --data FOLDER --scratch runs/components

FOLDER holds the `.npz` files of ADBench, whose normal rows are used. What was measured is kept in
the scratch folder, and not measured again. Install the peers first, by
`pip install -r benchmarks/tables-peers.txt`.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn import datasets
from sklearn.decomposition import PCA, KernelPCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import ParameterGrid, train_test_split
from sklearn.preprocessing import StandardScaler

from linearizer.display.tables import Table
from linearizer.sklearn import FlowDensity, LinearizerDetector, NonlinearPCA, TransportMap

Array = NDArray[np.float64]
PAGE = Path(__file__).parent.parent / "docs" / "components.md"
OF_SKLEARN = ("wine", "diabetes", "breast_cancer", "digits")
OF_ADBENCH = (
    "6_cardio",
    "40_vowels",
    "28_pendigits",
    "30_satellite",
    "20_letter",
    "22_magic.gamma",
)
COUNTS = (2, 4, 8)
GRID = ParameterGrid({"gamma": [0.01, 0.1, 1.0], "alpha": [1e-3, 1e-1, 1.0]})
"""Of kernel PCA; gamma is divided by the number of columns."""
SIZES = (1_000, 10_000, 100_000, 1_000_000)
SCORED = 100_000
"""Rows that are scored or transformed, at most."""
METHODS = ("NonlinearPCA", "PCA", "kernel PCA")


def table(name: str, folder: Path, most: int) -> Array:
    """A table, at most so many of its rows, drawn at random with a fixed seed."""
    if name in OF_SKLEARN:
        X = getattr(datasets, f"load_{name}")().data
    else:
        held = np.load(folder / f"{name}.npz")
        X = held["X"][held["y"] == 0]
    return X[np.random.default_rng(0).permutation(len(X))[:most]].astype(float)


def error(model: object, rows: Array) -> float:
    """The mean squared error of rows that go through the components and back."""
    back = model.inverse_transform(model.transform(rows))
    return float(np.square(back - rows).sum(1).mean())


def components(name: str, args: argparse.Namespace) -> dict[str, object]:
    """Errors of one table by method and number of components, and the full round trip."""
    train, test = train_test_split(table(name, args.data, args.rows), test_size=0.3, random_state=0)
    scaler = StandardScaler().fit(train)
    A, B = scaler.transform(train), scaler.transform(test)
    fit, validate = train_test_split(A, test_size=0.25, random_state=0)
    found: dict[str, object] = {"train": len(A), "columns": A.shape[1], "seconds": []}
    for count in COUNTS:
        start = time.process_time()
        bent = NonlinearPCA(count, max_minutes=None, random_state=0).fit(A)
        found["seconds"].append(time.process_time() - start)

        def kernel(rows: Array, count: int = count, **options: float) -> KernelPCA:
            gamma = options["gamma"] / rows.shape[1]
            return KernelPCA(
                count,
                kernel="rbf",
                gamma=gamma,
                alpha=options["alpha"],
                fit_inverse_transform=True,
                eigen_solver="randomized",
                random_state=0,
            ).fit(rows)

        best = min(GRID, key=lambda options: error(kernel(fit, **options), validate))
        models = (bent, PCA(count).fit(A), kernel(A, **best))
        found[str(count)] = [error(model, B) for model in models]
    full = NonlinearPCA("all", max_iter=20, random_state=0).fit(A)
    found["round trip"] = float(np.abs(full.inverse_transform(full.transform(B)) - B).max())
    return found


def transport(name: str, args: argparse.Namespace) -> dict[str, object]:
    """A classifier of digits, on digits of another scanner that were carried back."""
    import ot  # noqa: PLC0415

    X, y = datasets.load_digits(return_X_y=True)
    random = np.random.default_rng(0)
    order = random.permutation(len(X))
    here, there = order[:900], order[900:]
    # Fainter, uneven ink, a gray background, and one pixel of blur to the right.
    moved = 0.6 * X[there] + 0.4 * np.roll(X[there].reshape(-1, 8, 8), 1, 2).reshape(-1, 64)
    gain, offset = random.uniform(0.4, 1.0, 64), random.uniform(0.0, 6.0, 64)
    moved = moved * gain + offset + random.normal(0, 0.5, moved.shape)
    classifier = LogisticRegression(max_iter=2000).fit(X[here], y[here])

    def accuracy(rows: Array) -> float:
        return float(classifier.score(rows, y[there]))

    start = time.process_time()
    ours = TransportMap(max_minutes=None, random_state=0).fit(moved, X[here])
    taken = time.process_time() - start
    carried = ours.transform(moved)
    return {
        "as it is": accuracy(moved),
        "TransportMap": accuracy(carried),
        "POT EMDTransport": accuracy(
            ot.da.EMDTransport().fit(Xs=moved, Xt=X[here]).transform(moved)
        ),
        "POT LinearTransport": accuracy(
            ot.da.LinearTransport(reg=1e-2).fit(Xs=moved, Xt=X[here]).transform(moved)
        ),
        "not moved at all": accuracy(X[there]),
        "seconds": taken,
        "kind": ours.kind_,
        "there and back": float(np.abs(ours.inverse_transform(carried) - moved).max()),
    }


def growth(name: str, args: argparse.Namespace) -> dict[str, object]:
    """Seconds and memory of so many rows of 20 columns, in a process of its own."""
    code = f"import components; components.one_size({int(name)})"
    made = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(made.stdout.splitlines()[-1])


def one_size(rows: int) -> None:
    """Fit and score each estimator on made rows, and print what that took."""
    torch.set_num_threads(1)
    random = np.random.default_rng(0)
    X = random.normal(size=(rows, 20)) @ random.normal(size=(20, 20))
    X[:, 0] = X[:, 1] ** 2
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found: dict[str, object] = {}
    options = {"max_minutes": None, "max_iter": 200, "random_state": 0}
    for estimator in (
        FlowDensity(**options),
        LinearizerDetector(**options),
        NonlinearPCA(2, **options),
    ):
        start = time.process_time()
        estimator.fit(X)
        fitted = time.process_time()
        getattr(estimator, "score_samples", getattr(estimator, "transform", None))(X[:SCORED])
        found[type(estimator).__name__] = [fitted - start, time.process_time() - fitted]
    found["memory"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held) / 1024
    found["table"] = X.nbytes / 2**20
    print(json.dumps(found))


PARTS: dict[str, tuple[Callable[[str, argparse.Namespace], dict[str, object]], tuple[str, ...]]] = {
    "components": (components, (*OF_SKLEARN, *OF_ADBENCH)),
    "transport": (transport, ("digits",)),
    "growth": (growth, tuple(map(str, SIZES))),
}


def page(found: dict[str, dict[str, dict]], most: int) -> str:
    """The page, of all that was measured."""
    parts = [
        """# Components and transport, measured

How well tables are kept by fewer columns, and how near one is brought to another, beside other
methods.

Made by `python benchmarks/components.py --data FOLDER`; FOLDER holds the tables of
[ADBench](https://github.com/Minqi824/ADBench). Seconds are of one core.
[How to use it](how-to/tables.md)."""
    ]
    if found["components"]:
        parts += components_section(found["components"], most)
    if found["transport"]:
        parts += transport_section(found["transport"]["digits"])
    if found["growth"]:
        parts += growth_section(found["growth"])
    return "\n\n".join(parts) + "\n"


def components_section(found: dict[str, dict], most: int) -> list[str]:
    rows, below, worst = [], dict.fromkeys(COUNTS, 0), 0.0
    for name, run in found.items():
        cells = [f"{name} ({run['train']} × {run['columns']})"]
        for count in COUNTS:
            ours, pca, kernel = run[str(count)]
            below[count] += ours < min(pca, kernel)
            worst = max(worst, ours / pca)
            cells += [f"**{ours:.3f}**" if ours < min(pca, kernel) else f"{ours:.3f}"]
            cells += [f"{pca:.3f}", f"{kernel:.3f}"]
        rows.append(cells)
    head = ["table"] + [f"{method}, {count}" for count in COUNTS for method in METHODS]
    counted = ", ".join(f"{below[c]} with {c} components" for c in COUNTS)
    seconds = [s for run in found.values() for s in run["seconds"]]
    trips = max(run["round trip"] for run in found.values())
    return [
        "## Components",
        f"The mean squared error of held-out rows after `transform` and `inverse_transform`, in "
        f"standard scores: 30 % of at most {most:,} rows, for each number of components. Kernel "
        "PCA has its own inverse, and an RBF kernel whose width and ridge are the best of a grid "
        "of nine on a quarter of the training rows.",
        Table(head, rows).markdown(),
        f"NonlinearPCA is below both on {counted}, of {len(found)} tables. At most it has "
        f"{worst:.3f} times the error of PCA. With all components, rows come back up to "
        f"{trips:.0e} standard deviations. A fit takes {np.median(seconds):.1f} s (median; "
        f"{max(seconds):.0f} s at most).",
    ]


def transport_section(run: dict[str, float]) -> list[str]:
    names = [n for n in run if isinstance(run[n], float) and n not in ("seconds", "there and back")]
    there = f"{run['there and back']:.0e}"
    return [
        "## Transport",
        "A logistic regression that was trained on digits is asked about other digits from a worse "
        "scanner: blurred, with uneven ink, a background and noise. Each map is fitted on both "
        "sets without labels, and carries the second to the first.",
        Table(["map", "accuracy"], [[n, f"{100 * run[n]:.1f} %"] for n in names]).markdown(),
        f"There and back the largest error is {there}, in gray levels of 16. The fit takes "
        f"{run['seconds']:.0f} s, and took {run['kind']} as g. EMDTransport moves the rows that it "
        "was fitted on, and has no map for others nor a way back.",
    ]


def growth_section(found: dict[str, dict]) -> list[str]:
    names = ["FlowDensity", "LinearizerDetector", "NonlinearPCA"]
    rows = []
    for size, run in sorted(found.items(), key=lambda item: int(item[0])):
        cells = [f"{fit:.1f} + {use:.1f}" for fit, use in (run[n] for n in names)]
        rows.append([f"{int(size):,}", *cells, f"{run['memory']:.0f}", f"{run['table']:.0f}"])
    return [
        "## Growth with rows",
        "Tables of 20 columns; seconds to fit (200 steps) plus those to score or transform the "
        f"rows (at most {SCORED:,}), the peak of memory beyond the table itself, and the table, "
        "in MiB.",
        Table(["rows", *names, "memory", "table"], rows).markdown(),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of ADBench's .npz files")
    parser.add_argument("--scratch", type=Path, default=Path("runs/components"))
    parser.add_argument("--only", nargs="+", choices=PARTS, default=[*PARTS])
    parser.add_argument("--rows", type=int, default=1500, help="of a table, at most")
    parser.add_argument("--page-only", action="store_true", help="measure nothing")
    parser.add_argument("--out", type=Path, default=PAGE)
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    args.scratch.mkdir(parents=True, exist_ok=True)
    found: dict[str, dict[str, dict]] = {part: {} for part in PARTS}
    for part, (measure, names) in PARTS.items():
        for name in names:
            file = args.scratch / f"{part}--{name}.json"
            if not file.exists():
                if args.page_only or part not in args.only:
                    continue
                file.write_text(json.dumps(measure(name, args)), encoding="utf-8")
                print(part, name, file.read_text(encoding="utf-8"), flush=True)
            found[part][name] = json.loads(file.read_text(encoding="utf-8"))
    args.out.write_text(page(found, args.rows), encoding="utf-8")


if __name__ == "__main__":
    main()
