"""A small flow with classes, fitted on the g of the shipped one."""

from functools import cache

import linearizer as lz
from linearizer.data import open_data
from linearizer.training.classes_fit import fit_classes, shared_bijection


@cache
def flow_with_classes():
    """The digits 0 to 9 of scikit-learn, 8 by 8 pixels."""
    train, _ = open_data("digits")
    return fit_classes(shared_bijection(lz.load("digits")), train).requires_grad_(False)
