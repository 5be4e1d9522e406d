"""The numbers of an operator: how they are checked, kept, converted and multiplied."""

import torch
from torch import Tensor, nn

from linearizer._checks import Shape
from linearizer.errors import DtypeError


def check_real(tensor: Tensor, what: str) -> None:
    """Raise unless the tensor holds real floating-point numbers."""
    if not tensor.is_floating_point():
        raise DtypeError(
            f"expected {what} of real floating-point numbers, got {tensor.dtype}; "
            "convert it with .float() or .double()"
        )


def register(module: nn.Module, name: str, tensor: Tensor) -> None:
    """Keep a tensor as a parameter if it is one, else as a buffer.

    Its entries are laid out row by row, as they are in a file: another layout is multiplied in
    another order, and a loaded operator would differ from the saved one in the last bit.
    """
    if isinstance(tensor, nn.Parameter):
        tensor.data = tensor.data.contiguous()
        module.register_parameter(name, tensor)
    else:
        module.register_buffer(name, tensor.contiguous())


def as_scalar(value: float | Tensor, dtype: torch.dtype, device: torch.device) -> Tensor:
    """A number as a tensor of a dtype and a device; a parameter must have both already.

    Converting a parameter would make a copy, which does not follow it in training.
    """
    if isinstance(value, Tensor) and value.is_complex():
        raise DtypeError(
            f"expected a real number, got {value.dtype}; combine the real and the imaginary part"
        )
    converted = torch.as_tensor(value, dtype=dtype, device=device)
    if isinstance(value, nn.Parameter) and converted is not value:
        raise DtypeError(
            f"expected a parameter of {dtype} on {device}, got {value.dtype} on {value.device}, "
            "and a converted copy would not be trained; create it with this dtype and device"
        )
    return converted


def apply_matrix(matrix: Tensor, z: Tensor, in_shape: Shape, out_shape: Shape) -> Tensor:
    """The product of a matrix and flattened events, as events again."""
    image = z.flatten(-len(in_shape)) @ matrix.mT
    return image.unflatten(-1, out_shape)
