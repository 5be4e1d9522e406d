"""A model in a few lines: what it is made of, each part once."""

from torch import nn

from linearizer._gate import EventMap


def brief(module: nn.Module) -> str:
    """The class of a model, and a line for each of its parts, which may have several names.

    Example:
        >>> import torch, linearizer as lz
        >>> lz.Linearizer(lz.Identity(2), torch.eye(2))
        Linearizer
          g_x = g_y: Identity, (2,) → (2,)
          operator: Dense, (2,) → (2,)
    """
    parts = {name: part for name, part in module._modules.items() if part is not None}
    if isinstance(g := getattr(module, "g", None), nn.Module):  # of its parts, perhaps
        parts = {"g": g, **parts}
    names: dict[nn.Module, list[str]] = {}
    for name, part in parts.items():
        names.setdefault(part, []).append(name)
    lines, told = [type(module).__name__], set()
    for part, known_as in names.items():
        new = [p for p in part.parameters() if p not in told]
        told.update(new)
        lines.append(f"  {' = '.join(known_as)}: {_line(part, sum(p.numel() for p in new))}")
    return "\n".join(lines)


def _line(part: nn.Module, count: int) -> str:
    """The class, what there is inside, the shapes, and how many numbers were not yet counted."""
    if isinstance(part, nn.ModuleDict):
        return ", ".join(part) or "none"
    if isinstance(part, nn.ModuleList):
        return f"{len(part)} of {type(part[0]).__name__}" if len(part) else "none"
    inside = getattr(part, "bijections", None)
    said = [
        type(part).__name__ + (f" of {len(inside)}" if isinstance(inside, nn.ModuleList) else "")
    ]
    if isinstance(part, EventMap):
        said.append(f"{part.in_shape} → {part.out_shape}")
    if count:
        said.append(f"{count:,} parameters")
    return ", ".join(said)
