"""FrEIA: a whole `SequenceINN` or `GraphINN`, or a single module."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from linearizer.adapters.third_party import ThirdPartyBijection


class FrEIABijection(ThirdPartyBijection):
    """A network or module of FrEIA with one input and one output, without conditions.

    Args:
        network: A `SequenceINN`, a `GraphINN`, or an `InvertibleModule`.
        shape: Event shape of its input.
        out_shape: Event shape of its output; the same if not given.

    Raises:
        ShapeError: If it has conditions or several outputs, or other event shapes.

    Example, with FrEIA installed::

        inn = FrEIA.framework.SequenceINN(6)
        inn.append(FrEIA.modules.AllInOneBlock, subnet_constructor=perceptron)
        g = FrEIABijection(inn, 6)
    """

    def __init__(
        self,
        network: nn.Module,
        shape: int | Sequence[int],
        out_shape: int | Sequence[int] | None = None,
    ) -> None:
        super().__init__(shape, out_shape)
        self.network = network
        # A lone module takes and returns tuples, whole networks take and return tensors.
        self._in_tuples = hasattr(network, "output_dims") and not hasattr(network, "module_list")
        self._try_out()

    def _call(self, x: Tensor, *, rev: bool) -> tuple[Tensor, Tensor]:
        out: Any = self.network((x,) if self._in_tuples else x, rev=rev)
        image, log_det = out
        if self._in_tuples and len(image) == 1:
            (image,) = image
        if not isinstance(log_det, Tensor):  # modules of constant volume may return a number
            log_det = x.new_full((len(x),), float(log_det))
        return image, log_det.expand(len(x))

    def _forward_rows(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self._call(x, rev=False)

    def _inverse_rows(self, z: Tensor) -> Tensor:
        return self._call(z, rev=True)[0]
