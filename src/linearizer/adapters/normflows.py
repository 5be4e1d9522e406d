"""normflows: a `NormalizingFlow`, or single flows."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from linearizer.adapters.third_party import ThirdPartyBijection
from linearizer.errors import ShapeError


class NormflowsBijection(ThirdPartyBijection):
    """A `NormalizingFlow` of normflows from data to latents, or one of its flows.

    normflows writes flows from latents to data; g is the other way round, its `inverse`.

    Args:
        flow: A `normflows.NormalizingFlow`, or a `normflows.flows.Flow`.
        shape: Event shape of the data.
        out_shape: Event shape of the latents; the same if not given.

    Raises:
        ShapeError: If it takes a context, has several outputs, or other event shapes.

    Example, with normflows installed::

        flows = [normflows.flows.AutoregressiveRationalQuadraticSpline(6, 1, 16)]
        g = NormflowsBijection(normflows.NormalizingFlow(None, flows), 6)
    """

    def __init__(
        self,
        flow: nn.Module,
        shape: int | Sequence[int],
        out_shape: int | Sequence[int] | None = None,
    ) -> None:
        super().__init__(shape, out_shape)
        self.shape, self.flow = self.in_shape, flow
        if any(hasattr(module, "context_layer") for module in flow.modules()):
            raise ShapeError(  # without a context, normflows leaves it out and says nothing
                "expected a flow without context, got one whose networks take it; build it "
                "with context_features=None"
            )
        self._try_out()

    @property
    def _flows(self) -> list[Any]:
        return list(getattr(self.flow, "flows", None) or [self.flow])

    def _forward_rows(self, x: Tensor) -> tuple[Tensor, Tensor]:
        total = x.new_zeros(len(x))
        for flow in reversed(self._flows):
            x, log_det = flow.inverse(x)
            total = total + log_det
        return x, total

    def _inverse_rows(self, z: Tensor) -> Tensor:
        for flow in self._flows:
            z, _ = flow(z)
        return z
