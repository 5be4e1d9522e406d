"""Measure outlier detectors on the tables of ADBench, in two protocols: docs/outliers.md.

    python benchmarks/outliers.py --data FOLDER --scratch runs/outliers

FOLDER holds the `.npz` files of ADBench (`X`, `y`, 1 for outliers). What was measured is kept in
the scratch folder, one file for each table, protocol and seed, and not measured again; with
`--page-only` the page is written from what is there. Install the peers first, by
`pip install -r benchmarks/tables-peers.txt`.
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import LocalOutlierFactor
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from linearizer.display.tables import Table
from linearizer.sklearn import LinearizerDetector

Array = NDArray[np.float64]
PAGE = Path(__file__).parent.parent / "docs" / "outliers.md"
OURS = "LinearizerDetector"
VARIANTS = ("its likelihood alone", "its distance alone", "plain Gaussian, same curves")
TRIMMED = ("trim=0.1", 'trim=0.1, by="likelihood"')
"""Measured where outliers are among the rows."""
CHOSEN = "its weights chosen on other tables"
GRID = [
    (c, g, p) for c in (0.0, 1.0) for g in (0.0, 0.25, 0.5, 1.0, 2.0) for p in (0.0, 0.25, 0.5, 1.0)
]
"""Weights of both distances and of the likelihood that `CHOSEN` chooses from."""
WIDEST_FOR_MCD = 500
PLANTED, MOVED = 200, 5.0
"""Rows that a fault is planted in, and by how many standard deviations the column is moved."""
PROTOCOLS = {"semi": "Trained on normal rows", "all": "Trained on all rows"}


def scorers(new: bool) -> dict[str, Callable[[Array, Array], Array]]:
    """What scores rows after a fit on others (`new`) or on themselves; large means odd."""
    from pyod.models.ecod import ECOD  # noqa: PLC0415
    from pyod.models.knn import KNN  # noqa: PLC0415
    from pyod.models.mcd import MCD  # noqa: PLC0415

    def lof(A: Array, B: Array) -> Array:
        if new:
            return -LocalOutlierFactor(novelty=True).fit(A).score_samples(B)
        return -LocalOutlierFactor().fit(A).negative_outlier_factor_

    def residual(A: Array, B: Array) -> Array:
        pca = PCA(0.9, svd_solver="full").fit(A)
        return np.square(B - pca.inverse_transform(pca.transform(B))).sum(1)

    def pyod(make: Callable[[], object]) -> Callable[[Array, Array], Array]:
        def score(A: Array, B: Array) -> Array:
            model = make().fit(A)
            return model.decision_function(B) if new else model.decision_scores_

        return score

    return {
        "IsolationForest": lambda A, B: -IsolationForest(random_state=0).fit(A).score_samples(B),
        "LocalOutlierFactor": lof,
        "OneClassSVM": lambda A, B: -OneClassSVM().fit(A).score_samples(B),
        "PCA (residual of .9)": residual,
        "PyOD kNN": pyod(KNN),
        "PyOD ECOD": pyod(ECOD),
        "PyOD MCD": pyod(lambda: MCD(random_state=0)),
    }


def read(path: Path, most: int) -> tuple[Array, NDArray[np.int64]]:
    """A table, with rows drawn at random with a fixed seed if there are too many."""
    held = np.load(path)
    X, y = held["X"].astype(float), held["y"].astype(int)
    if len(X) > most:
        chosen = np.random.default_rng(0).permutation(len(X))[:most]
        X, y = X[chosen], y[chosen]
    return X, y


def split(X: Array, y: NDArray[np.int64], seed: int) -> tuple[Array, Array, NDArray[np.int64]]:
    """Half of the normal rows to train on; the other half and all outliers to test on."""
    normal = np.random.default_rng(seed).permutation(np.flatnonzero(y == 0))
    train = normal[: len(normal) // 2]
    test = np.concatenate([normal[len(normal) // 2 :], np.flatnonzero(y == 1)])
    return X[train], X[test], y[test]


def measure(path: Path, protocol: str, seed: int, most: int) -> dict[str, object]:
    """All detectors on one table: areas, and seconds of one core to fit and score."""
    X, y = read(path, most)
    train, test, truth = split(X, y, seed) if protocol == "semi" else (X, X, y)
    found: dict[str, object] = {"rows": len(X), "columns": X.shape[1], "train": len(train)}
    if truth.sum() < 2:
        return found
    results: dict[str, list[float]] = {}

    def note(name: str, score: Callable[[], Array]) -> None:
        start = time.process_time()
        scores = np.nan_to_num(score(), posinf=1e300, neginf=-1e300)
        taken = time.process_time() - start
        results[name] = [
            float(roc_auc_score(truth, scores)),
            float(average_precision_score(truth, scores)),
            taken,
        ]

    detector = LinearizerDetector(random_state=seed, max_minutes=None)
    start = time.process_time()
    detector.fit(train)
    found["fit"] = time.process_time() - start
    found["gain"] = detector.gain_
    note(OURS, lambda: -detector.score_samples(test))
    for name, by in zip(VARIANTS, ("likelihood", "distance"), strict=False):
        note(name, lambda by=by: -detector.set_params(by=by).score_samples(test))
    terms = np.concatenate([detector._terms(part) for part in torch.tensor(test).split(10_000)])
    found["grid"] = [
        [float(roc_auc_score(truth, terms @ w)), float(average_precision_score(truth, terms @ w))]
        for w in GRID
    ]
    plain = LinearizerDetector(by="likelihood", depth=0, random_state=seed)
    note(VARIANTS[-1], lambda: -plain.fit(train).score_samples(test))
    if protocol == "semi" and X.shape[1] > 3:
        found["explained"] = explained(detector, train, test[truth == 0], seed)
    if protocol == "all":
        trimmed = LinearizerDetector(trim=0.1, random_state=seed, max_minutes=None)
        note(TRIMMED[0], lambda: -trimmed.fit(train).score_samples(test))
        trimmed.set_params(by="likelihood")
        note(TRIMMED[1], lambda: -trimmed.score_samples(test))
        results[TRIMMED[1]][2] += results[TRIMMED[0]][2]
    scaler = StandardScaler().fit(train)
    A, B = scaler.transform(train), scaler.transform(test)
    for name, score in scorers(protocol == "semi").items():
        if "MCD" in name and X.shape[1] > WIDEST_FOR_MCD:
            continue
        note(name, lambda score=score: score(A, B))
    return found | {"results": results}


def explained(detector: LinearizerDetector, train: Array, normal: Array, seed: int) -> float:
    """How often a column that was moved is among the three that the explanation names first."""
    random = np.random.default_rng(seed)
    rows = normal[random.permutation(len(normal))[:PLANTED]].copy()
    varied = np.flatnonzero(train.std(0) > 0)
    columns = random.choice(varied, len(rows))
    signs = random.choice([-1.0, 1.0], len(rows))
    rows[np.arange(len(rows)), columns] += signs * MOVED * train.std(0)[columns]
    first = np.argsort(-np.abs(detector.explain(rows)), 1)[:, :3]
    return float((first == columns[:, None]).any(1).mean())


def page(scratch: Path, most: int, options: str) -> str:
    """The page, of all that was measured."""
    files = {
        protocol: [
            (file.stem.split("--"), json.loads(file.read_text(encoding="utf-8")))
            for file in sorted(scratch.glob(f"*--{protocol}--*.json"))
        ]
        for protocol in PROTOCOLS
    }
    parts = [
        f"""# Outliers, measured

Made by `python benchmarks/outliers.py --data FOLDER{options}`; FOLDER holds the tables of
[ADBench](https://github.com/Minqi824/ADBench). Of tables with more than {most:,} rows so many are
drawn at random, with a fixed seed. One setting, the defaults, for all tables; all others have their
defaults too, on standard scores. The weights of the scores in it were chosen on these tables,
with at most 3,000 rows of each. What that choice is worth is seen from "{CHOSEN}": there the
weights are those of a grid of {len(GRID)} that are best on all tables but the one that is measured.
Areas are in percent, and seconds are of one core.
[How to use it](how-to/tables.md)."""
    ]
    for protocol, title in PROTOCOLS.items():
        measured = [(name, found) for name, found in files[protocol] if "results" in found]
        without = sorted({name[0] for name, found in files[protocol] if "results" not in found})
        if measured:
            parts.append(section(title, protocol, measured))
        whole = len({name[0] for runs in files.values() for name, _ in runs})
        missing = whole - len({name[0] for name, _ in files[protocol]})
        if missing:
            parts.append(f"The {missing} largest tables were not run in this protocol yet.")
        if without:
            parts.append(
                "Left out, with fewer than two outliers among the drawn rows: "
                f"{', '.join(without)}."
            )
    return "\n\n".join(parts) + "\n"


def section(title: str, protocol: str, measured: list[tuple[list[str], dict]]) -> str:
    """Means of a protocol, and the areas of each table."""
    tables = sorted({name[0] for name, _ in measured}, key=lambda t: int(t.split("_")[0]))
    seeds = sorted({name[2] for name, _ in measured})
    methods = list(measured[0][1]["results"])
    methods = list(dict.fromkeys([*methods, "PyOD MCD"]))
    for _, found in measured:  # our scores come from one fit, which counts for each of them
        for name in (OURS, *VARIANTS[:2]):
            area, precision, scoring = found["results"][name]
            found["results"][name] = [area, precision, scoring + found["fit"]]
    areas: dict[str, dict[str, list[float]]] = {}
    for method in methods:
        areas[method] = {}
        for table in tables:
            runs = [
                f["results"][method]
                for n, f in measured
                if n[0] == table and method in f["results"]
            ]
            if runs:
                areas[method][table] = [float(v) for v in np.mean(runs, 0)]
    methods.append(CHOSEN)
    areas[CHOSEN] = chosen_elsewhere(measured, tables, areas[OURS])
    ranked = [m for m in methods if m not in (*VARIANTS, *TRIMMED, CHOSEN)]
    common = [t for t in tables if all(t in areas[m] for m in ranked)]
    ranks = np.mean(
        [
            [1 + sum(areas[o][t][0] > areas[m][t][0] for o in ranked) for m in ranked]
            for t in common
        ],
        0,
    )
    rank = dict(zip(ranked, ranks, strict=True))
    rows = []
    for m in sorted(methods, key=lambda m: -np.mean([a[0] for a in areas[m].values()])):
        values = np.array(list(areas[m].values()))
        rows.append(
            [
                f"**{m}**" if m == OURS else m,
                f"{100 * values[:, 0].mean():.2f}",
                f"{100 * values[:, 1].mean():.2f}",
                f"{rank[m]:.2f}" if m in rank else "",
                f"{np.median(values[:, 2]):.1f}",
            ]
        )
    head = ["detector", "area under ROC", "under precision-recall", "mean rank", "median seconds"]
    counted = f"{len(tables)} tables, {len(seeds)} {'seed' if len(seeds) == 1 else 'seeds'}."
    parts = [
        f"## {title}",
        (
            f"{counted} Half of the normal rows train; the others and all outliers are the test."
            if protocol == "semi"
            else f"{counted} All rows, outliers among them and no labels, train and are scored."
        ),
        Table(head, rows).markdown(),
    ]
    if any(len(areas[m]) < len(tables) for m in methods):
        parts.append(
            f"MCD is not run on tables of more than {WIDEST_FOR_MCD} columns; its mean is of the "
            "others, and ranks are those on tables that all were run on."
        )
    fits = [f["fit"] for _, f in measured]
    parts.append(
        f"Seconds are those to fit and to score. The median time of training {OURS} is "
        f"{np.median(fits):.1f} s, the longest {max(fits):.0f} s."
    )
    if protocol == "semi":
        parts += semi_notes(measured, areas, tables)
    else:
        areas_of = {m: 100 * np.mean([a[:2] for a in areas[m].values()], 0) for m in methods}
        more = {m: areas_of[m] - areas_of[OURS] for m in (VARIANTS[0], TRIMMED[0])}
        parts.append(
            "Outliers that lie together are near to each other, and distances miss them. By "
            "likelihood alone the areas change by {:+.1f} and {:+.1f}; fitted again without the "
            "oddest tenth of the rows, `trim=0.1`, by {:+.1f} and {:+.1f}.".format(
                *more[VARIANTS[0]], *more[TRIMMED[0]]
            )
        )
    wide = Table(
        ["table", *ranked],
        [
            [t, *(f"{100 * areas[m][t][0]:.1f}" if t in areas[m] else "" for m in ranked)]
            for t in tables
        ],
    )
    parts += ["Area under ROC:", wide.markdown()]
    return "\n\n".join(parts)


def chosen_elsewhere(
    measured: list[tuple[list[str], dict]], tables: list[str], ours: dict[str, list[float]]
) -> dict[str, list[float]]:
    """Areas of each table with the weights of `GRID` that are best on all other tables."""
    grids = np.array(
        [np.mean([f["grid"] for n, f in measured if n[0] == table], 0) for table in tables]
    )
    sums = grids[:, :, 0].sum(0)
    best = [int((sums - grid[:, 0]).argmax()) for grid in grids]
    return {
        table: [*map(float, grid[i]), ours[table][2]]
        for table, grid, i in zip(tables, grids, best, strict=True)
    }


def semi_notes(
    measured: list[tuple[list[str], dict]],
    areas: dict[str, dict[str, list[float]]],
    tables: list[str],
) -> list[str]:
    """What is asked besides the means: explanations, and small tables beside a plain Gaussian."""
    shares = {n[0]: f["explained"] for n, f in measured if "explained" in f}
    least = min(shares, key=lambda t: shares[t])
    sizes = {n[0]: f["rows"] for n, f in measured}
    small = sorted(tables, key=lambda t: sizes[t])[:15]
    plain = VARIANTS[-1]
    losses = {
        m: {t: areas[plain][t][0] - areas[m][t][0] for t in small} for m in (OURS, VARIANTS[0])
    }
    worst = {m: max(found, key=lambda t: found[t]) for m, found in losses.items()}
    return [
        f"**Explanations.** A column of normal rows is moved by {MOVED:g} standard deviations: "
        f"`explain` has it among its first three in {100 * np.mean(list(shares.values())):.1f} % "
        f"(mean of {len(shares)} tables of more than three columns; least "
        f"{100 * shares[least]:.1f} %, {least}).",
        f"**Small tables.** On the 15 smallest, the area of {OURS} is below that of the plain "
        f"Gaussian in the same induced space by {100 * losses[OURS][worst[OURS]]:.1f} at most "
        f"({worst[OURS]}), and that of its likelihood alone by "
        f"{100 * losses[VARIANTS[0]][worst[VARIANTS[0]]]:.1f} ({worst[VARIANTS[0]]}).",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of ADBench's .npz files")
    parser.add_argument("--scratch", type=Path, default=Path("runs/outliers"))
    parser.add_argument("--protocols", nargs="+", choices=PROTOCOLS, default=[*PROTOCOLS])
    parser.add_argument("--seeds", type=int, default=3, help="of the semi-supervised protocol")
    parser.add_argument("--rows", type=int, default=20_000, help="of a table, at most")
    parser.add_argument("--minutes", type=float, help="start no other table after this time")
    parser.add_argument("--tables", nargs="+", help="names of tables; all if not given")
    parser.add_argument("--page-only", action="store_true", help="measure nothing")
    parser.add_argument("--out", type=Path, default=PAGE)
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    args.scratch.mkdir(parents=True, exist_ok=True)
    paths = sorted(args.data.glob("*.npz"), key=lambda p: np.load(p)["y"].size)
    paths = [p for p in paths if not args.tables or p.stem in args.tables]
    begun = time.perf_counter()
    for protocol in args.protocols if not args.page_only else ():
        for seed in range(args.seeds if protocol == "semi" else 1):
            for path in paths:
                file = args.scratch / f"{path.stem}--{protocol}--{seed}.json"
                over = args.minutes and time.perf_counter() - begun > 60 * args.minutes
                if file.exists() or over:
                    continue
                start = time.perf_counter()
                found = measure(path, protocol, seed, args.rows)
                file.write_text(json.dumps(found), encoding="utf-8")
                areas = {m: round(100 * r[0], 1) for m, r in found.get("results", {}).items()}
                print(f"{file.stem} {time.perf_counter() - start:.0f} s {areas}", flush=True)
    chosen = {"rows": args.rows, "seeds": args.seeds}
    defaults = {name: parser.get_default(name) for name in chosen}
    options = "".join(f" --{n} {v}" for n, v in chosen.items() if v != defaults[n])
    args.out.write_text(page(args.scratch, args.rows, options), encoding="utf-8")


if __name__ == "__main__":
    main()
