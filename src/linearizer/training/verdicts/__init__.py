"""What a training reached, said at its end: beside a model that needs none, and for more time."""

from linearizer.training.verdicts.base import Verdict
from linearizer.training.verdicts.density import DensityVerdict, judged_density
from linearizer.training.verdicts.projection import ProjectionVerdict, judged_projection
from linearizer.training.verdicts.samples import SamplesVerdict, judged_samples
from linearizer.training.verdicts.styles import StylesVerdict, judged_styles

__all__ = [
    "DensityVerdict",
    "ProjectionVerdict",
    "SamplesVerdict",
    "StylesVerdict",
    "Verdict",
    "judged_density",
    "judged_projection",
    "judged_samples",
    "judged_styles",
]
