"""scikit-learn estimators: densities, outliers, nonlinear components and transport for tables.

A thin layer: tables in, NumPy arrays (or what `set_output` asks for) out. The mathematics is in
`bijections`, `estimation` and `training`; `bijection_` of each estimator is a g like all others.
"""

from linearizer._extras import needs_extra

with needs_extra("scikit-learn", "sklearn"):
    from linearizer.sklearn.components import NonlinearPCA
    from linearizer.sklearn.density import FlowDensity
    from linearizer.sklearn.detector import LinearizerDetector
    from linearizer.sklearn.files import load_estimator, save_estimator
    from linearizer.sklearn.transport import TransportMap

__all__ = [
    "FlowDensity",
    "LinearizerDetector",
    "NonlinearPCA",
    "TransportMap",
    "load_estimator",
    "save_estimator",
]
