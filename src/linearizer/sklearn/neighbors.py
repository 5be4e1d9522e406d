"""The nearest rows of rows, where a row is no neighbor of its own."""

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from linearizer.sklearn.tables import Array


def nearest(references: Array, rows: Array, count: int) -> tuple[Array, NDArray[np.intp]]:
    """Distances to the nearest references (N, count) and their places, nearest first.

    One reference that is equal to a row is left out: it is the row itself, if the row is one of
    the references, so that rows of a fit are measured as new ones are.
    """
    search = NearestNeighbors(n_neighbors=min(count + 1, len(references))).fit(references)
    distances, places = search.kneighbors(rows)
    own = (distances[:, :1] <= 1e-9).astype(int)
    columns = np.minimum(np.arange(count) + own, distances.shape[1] - 1)
    return np.take_along_axis(distances, columns, 1), np.take_along_axis(places, columns, 1)


def mean_of_nearest(references: Tensor, places: NDArray[np.intp]) -> Tensor:
    """The means (N, n) of the references (M, n) at places (N, k)."""
    return references[torch.as_tensor(places)].mean(1)


def spread(values: Array) -> float:
    """The distance between the quartiles, or 1 where there is none."""
    low, high = np.quantile(values, [0.25, 0.75])
    return float(high - low) or 1.0
