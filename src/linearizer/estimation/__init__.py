"""Closed forms from data: moments, least squares, convolutions and generators."""

from linearizer.estimation.convolution_fit import ConvolutionLeastSquares
from linearizer.estimation.convolution_refinement import refine_convolution
from linearizer.estimation.gaussian_mixture import GaussianMixture
from linearizer.estimation.gaussian_transport import gaussian_transport
from linearizer.estimation.generator_fit import fit_generator, total_least_squares
from linearizer.estimation.least_squares import LeastSquares
from linearizer.estimation.marginal_fit import fit_marginals
from linearizer.estimation.mixture import MixtureMoments, clusters
from linearizer.estimation.moments import Moments, PrincipalMoments
from linearizer.estimation.redraw_fit import fit_redraw
from linearizer.estimation.whitening_fit import fit_whitening

__all__ = [
    "ConvolutionLeastSquares",
    "GaussianMixture",
    "LeastSquares",
    "MixtureMoments",
    "Moments",
    "PrincipalMoments",
    "clusters",
    "fit_generator",
    "fit_marginals",
    "fit_redraw",
    "fit_whitening",
    "gaussian_transport",
    "refine_convolution",
    "total_least_squares",
]
