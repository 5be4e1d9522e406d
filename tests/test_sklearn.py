"""The scikit-learn estimators: scikit-learn's own checks, tables as people have them, and files."""

import pickle
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from linearizer.errors import (
    DtypeError,
    FileExistsAlreadyError,
    FileFormatError,
    NonFiniteError,
    NotSaveableError,
    RangeError,
    ShapeError,
)
from linearizer.sklearn import (
    FlowDensity,
    LinearizerDetector,
    NonlinearPCA,
    TransportMap,
    load_estimator,
    save_estimator,
)
from linearizer.testing import check_bijection, check_linear

pd = pytest.importorskip("pandas", reason="pandas, whose tables are tried, is missing")
QUICK: dict[str, Any] = {"max_iter": 20, "random_state": 0}
ALL = [
    FlowDensity(**QUICK),
    LinearizerDetector(**QUICK),
    LinearizerDetector(trim=0.1, by="likelihood", **QUICK),
    NonlinearPCA(1, **QUICK),
    TransportMap(**QUICK),
]
by_class = pytest.mark.parametrize("estimator", ALL, ids=lambda e: type(e).__name__)


def bent(count: int = 600, seed: int = 0) -> np.ndarray:
    """Rows near a parabola, in three columns of different scales."""
    random = np.random.default_rng(seed)
    t = random.normal(size=count)
    noise = 0.1 * random.normal(size=(count, 3))
    return (np.stack([t, t**2, -t], 1) + noise) * [1.0, 100.0, 0.01] + [0.0, 5000.0, 3.0]


@parametrize_with_checks(ALL)
def test_every_check_of_scikit_learn(estimator: Any, check: Any) -> None:
    check(estimator)


def answers(estimator: Any, X: Any) -> np.ndarray:
    """What an estimator says of rows."""
    method = "transform" if hasattr(estimator, "transform") else "score_samples"
    return np.asarray(getattr(estimator, method)(X))


# Tables as people have them ------------------------------------------------------------------


@by_class
def test_data_frames_keep_their_names_and_order(estimator: Any) -> None:
    frame = pd.DataFrame(bent(60), columns=["a", "b", "c"])
    fitted = clone(estimator).fit(frame)
    assert list(fitted.feature_names_in_) == ["a", "b", "c"]
    with pytest.raises(ValueError, match="feature names"):
        answers(fitted, frame[["b", "a", "c"]])


@by_class
def test_categories_are_refused_with_the_cure(estimator: Any) -> None:
    frame = pd.DataFrame({"size": [1.0, 2.0, 3.0] * 20, "kind": ["a", "b", "c"] * 20})
    with pytest.raises(DtypeError, match="in kind; encode them"):
        clone(estimator).fit(frame)
    frame["kind"] = frame["kind"].astype("category")
    with pytest.raises(DtypeError, match="OneHotEncoder"):
        clone(estimator).fit(frame)


@by_class
def test_missing_values_are_refused_with_the_cure(estimator: Any) -> None:
    frame = pd.DataFrame(bent(60), columns=["a", "b", "c"])
    frame.loc[3, "b"] = np.nan
    with pytest.raises(NonFiniteError, match="column b of X; fill them"):
        clone(estimator).fit(frame)


@by_class
def test_constant_and_equal_columns(estimator: Any) -> None:
    X = bent(80)
    X = np.hstack([X, X[:, :1], np.full((80, 1), 7.0)])
    fitted = clone(estimator).fit(X)
    assert np.isfinite(answers(fitted, X)).all()
    if hasattr(fitted, "inverse_transform"):
        full = fitted if isinstance(fitted, TransportMap) else NonlinearPCA("all", **QUICK).fit(X)
        back = full.inverse_transform(full.transform(X))
        assert np.abs(back - X).max() < 1e-6 * np.abs(X).max()


@by_class
def test_the_same_seed_gives_the_same(estimator: Any) -> None:
    X = bent(80)
    one, two = (answers(clone(estimator).fit(X), X) for _ in range(2))
    np.testing.assert_array_equal(one, two)


@by_class
def test_g_is_a_bijection_and_the_maps_are_linear(estimator: Any) -> None:
    X = bent(80)
    fitted = clone(estimator).fit(X)
    check_bijection(fitted.bijection_, x=torch.tensor(X[:6]), rtol=1e-6)
    for name in ("map_", "projection_"):
        if hasattr(fitted, name):
            check_linear(getattr(fitted, name), x=torch.tensor(X[:6]), rtol=1e-6)


# Files ---------------------------------------------------------------------------------------


@by_class
def test_pickles_and_safetensors_answer_the_same(estimator: Any, tmp_path: Path) -> None:
    frame = pd.DataFrame(bent(60), columns=["a", "b", "c"])
    y = [0, 1] * 30 if isinstance(estimator, FlowDensity) else None
    fitted = clone(estimator).fit(frame, y)
    expected = answers(fitted, frame)
    joblib.dump(fitted, tmp_path / "estimator.joblib")
    save_estimator(fitted, tmp_path / "folder")
    for again in (
        pickle.loads(pickle.dumps(fitted)),
        joblib.load(tmp_path / "estimator.joblib"),
        load_estimator(tmp_path / "folder"),
    ):
        np.testing.assert_allclose(answers(again, frame), expected, rtol=1e-12)
        assert again.get_params() == fitted.get_params()
    with pytest.raises(FileExistsAlreadyError, match="overwrite"):
        save_estimator(fitted, tmp_path / "folder")


def test_files_that_are_no_estimator(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="save_estimator"):
        load_estimator(tmp_path)
    (tmp_path / "estimator.json").write_text('{"class": "os.system", "attributes": {}}')
    with pytest.raises(FileFormatError, match="got os"):
        load_estimator(tmp_path)
    with pytest.raises(NotSaveableError, match="got PCA"):
        save_estimator(PCA(), tmp_path)
    random = NonlinearPCA(1, max_iter=0, random_state=np.random.RandomState(0)).fit(bent(50))
    with pytest.raises(NotSaveableError, match="an integer as random_state"):
        save_estimator(random, tmp_path / "other")


# Each of them --------------------------------------------------------------------------------


def test_a_bent_table_is_more_likely_by_a_trained_g() -> None:
    X = bent()
    density = FlowDensity(max_iter=300, random_state=0).fit(X)
    plain = FlowDensity(depth=0, random_state=0).fit(X)
    assert density.gain_ > 0.3
    assert density.score(bent(seed=1)) > plain.score(bent(seed=1)) + 0.3


def test_the_density_is_in_the_units_of_the_table() -> None:
    X = np.random.default_rng(0).normal(size=(5000, 2)) * [1.0, 1000.0]
    found = FlowDensity(depth=0).fit(X).score_samples([[0.0, 0.0]])
    assert abs(found[0] + np.log(2 * np.pi * 1000)) < 0.1


def test_samples_of_a_class_are_like_it() -> None:
    X, y = load_iris(return_X_y=True, as_frame=True)
    names = y.map({0: "setosa", 1: "versicolor", 2: "virginica"})
    density = FlowDensity(**QUICK).fit(X, names)
    drawn = density.sample(500, label="setosa", random_state=1)
    mean, std = X[names == "setosa"].to_numpy().mean(0), X.to_numpy().std(0)
    assert (np.abs(drawn.mean(0) - mean) < 0.2 * std).all()
    np.testing.assert_array_equal(density.sample(3), density.sample(3))
    with pytest.raises(RangeError, match="fit with labels"):
        FlowDensity(**QUICK).fit(X).sample(2, label="setosa")


@pytest.mark.parametrize("by", ["both", "likelihood", "distance"])
def test_the_class_of_wine_that_was_not_seen_is_odd(by: str) -> None:
    X, y = load_wine(return_X_y=True)
    normal = X[y != 0]
    train, test = normal[::2], np.vstack([normal[1::2], X[y == 0]])
    truth = np.r_[np.zeros(len(normal[1::2])), np.ones((y == 0).sum())]
    fitted = {
        name: LinearizerDetector(by=kind, random_state=0, **options).fit(train)
        for name, kind, options in (
            ("trained", by, {}),
            ("plain", "likelihood", {"depth": 0}),
        )
    }
    areas = {name: roc_auc_score(truth, -d.score_samples(test)) for name, d in fitted.items()}
    assert areas["trained"] > areas["plain"] - 0.02


def test_a_planted_fault_is_explained() -> None:
    X = StandardScaler().fit_transform(load_wine().data)
    detector = LinearizerDetector(random_state=0).fit(X[::2])
    rows, columns = X[1::2].copy(), np.arange(len(X) // 2) % X.shape[1]
    rows[np.arange(len(rows)), columns] += 5.0
    first = np.argsort(-np.abs(detector.explain(rows)), 1)[:, :3]
    assert (first == columns[:, None]).any(1).mean() >= 0.9
    repaired = detector.nearest_normal(rows)
    assert (detector.decision_function(repaired) > 0).mean() > 0.9


def test_outliers_that_lie_together_are_trimmed() -> None:
    random = np.random.default_rng(1)
    X = np.vstack([random.normal(size=(280, 3)), random.normal(4, 1, size=(20, 3))])
    is_odd = np.arange(300) >= 280
    areas = [
        roc_auc_score(is_odd, -LinearizerDetector(trim=trim, **QUICK).fit(X).score_samples(X))
        for trim in (0.0, 0.1)
    ]
    assert areas[1] > max(0.99, areas[0])


def test_rows_that_are_all_alike_are_not_trimmed_away() -> None:
    for X in (np.ones((50, 2)), np.eye(2)):
        scores = LinearizerDetector(trim=0.1, **QUICK).fit(X).score_samples(X)
        assert np.isfinite(scores).all()
    with pytest.raises(RangeError, match="trim"):
        LinearizerDetector(trim=0.9).fit(np.ones((50, 2)))


def test_the_contamination_is_met() -> None:
    X = bent(200)
    detector = LinearizerDetector(contamination=0.1, **QUICK).fit(X)
    assert (detector.predict(X) == -1).sum() == 20
    for options in ({"by": "magic"}, {"contamination": 0.9}, {"n_neighbors": 0}):
        with pytest.raises(RangeError):
            LinearizerDetector(**options).fit(X)


def test_components_bend_where_the_table_bends() -> None:
    train, test = bent(), bent(seed=1)
    scaler = StandardScaler().fit(train)
    errors = {}
    for name, pca in (("bent", NonlinearPCA(1, max_iter=400, random_state=0)), ("flat", PCA(1))):
        pca.fit(scaler.transform(train))
        rows = scaler.transform(test)
        errors[name] = np.square(pca.inverse_transform(pca.transform(rows)) - rows).sum()
    assert errors["bent"] < 0.5 * errors["flat"]


def test_how_many_components() -> None:
    X = load_wine().data
    full = NonlinearPCA("all", **QUICK).fit(X)
    assert full.n_components_ == 13
    back = full.inverse_transform(full.transform(X))
    assert np.abs((back - X) / X.std(0)).max() < 1e-6
    share = NonlinearPCA(0.8, **QUICK).fit(X)
    assert 1 < share.n_components_ < 13
    assert share.explained_variance_ratio_.sum() >= 0.8
    assert share.get_feature_names_out()[0] == "nonlinearpca0"
    once = share.inverse_transform(share.transform(X))
    np.testing.assert_allclose(share.inverse_transform(share.transform(once)), once, rtol=1e-8)
    for wrong in (0, 14, 1.5, "most", True):
        with pytest.raises(RangeError):
            NonlinearPCA(wrong, **QUICK).fit(X)
    with pytest.raises(ShapeError, match="what transform returns"):
        share.inverse_transform(X)


def test_output_can_be_pandas_and_a_pipeline_passes_names() -> None:
    frame = pd.DataFrame(bent(60), columns=["a", "b", "c"])
    for step, names in (
        (NonlinearPCA(2, **QUICK), ["nonlinearpca0", "nonlinearpca1"]),
        (TransportMap(**QUICK), ["a", "b", "c"]),
    ):
        made = make_pipeline(StandardScaler(), step).set_output(transform="pandas")
        assert list(made.fit_transform(frame).columns) == names


def test_transport_there_and_back() -> None:
    source, target = bent(300), bent(200, seed=1)
    target = target.mean(0) + (target - target.mean(0)) * [1.5, 0.7, 1.0] + [0.5, 50.0, 0.0]
    transport = TransportMap(max_iter=100, random_state=0).fit(source, target)
    moved = transport.transform(source)
    assert (np.abs(moved.mean(0) - target.mean(0)) < 0.2 * target.std(0)).all()
    back = transport.inverse_transform(moved)
    assert np.abs((back - source) / source.std(0)).max() < 1e-5
    with pytest.raises(ShapeError, match="of 3 numbers"):
        transport.inverse_transform(source[:, :2])
    with pytest.raises(ShapeError, match="same columns"):
        transport.fit(source, target[:, :2])
    with pytest.raises(NonFiniteError, match="target"):
        transport.fit(source, np.full((5, 3), np.nan))
