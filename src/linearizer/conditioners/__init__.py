"""Ordinary networks for the inside of couplings, as factories that are plain data.

A factory is called with the event shapes that the network takes and returns, and makes it;
being data, it is saved with the model. The networks see exactly one batch axis.
"""

from linearizer.conditioners.convnet import ConvNet
from linearizer.conditioners.mlp import MLP
from linearizer.conditioners.patch_transformer import PatchTransformer

__all__ = ["MLP", "ConvNet", "PatchTransformer"]
