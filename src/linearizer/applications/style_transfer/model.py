"""Modular style transfer: one shared pair of bijections, and a linear operator a style."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce

import torch
from torch import Tensor, nn

from linearizer._arrays import takes_arrays
from linearizer._brief import brief
from linearizer._checks import check_between, reference
from linearizer._names import meant
from linearizer.applications.style_transfer import analysis, files, fitting, sizes, stages
from linearizer.applications.style_transfer.analysis import SharedBasis
from linearizer.applications.style_transfer.files import StyleFiles
from linearizer.applications.style_transfer.stages import Progress
from linearizer.applications.style_transfer.steps import LARGEST, Chosen, Step, operators_of
from linearizer.bijections import Bijection
from linearizer.errors import RangeError
from linearizer.linearizer import Linearizer
from linearizer.operators import Convolution, LinearOperator, SymmetricConvolution

PLAIN = "plain"
"""The name of the operator that leaves contents as they are."""


class StyleTransfer(StyleFiles):
    """`f_style(x) = g_y⁻¹(A_style g_x(x))`: content goes through g_x, a style is an operator.

    Styles are mixed, weakened, undone and composed by linear algebra on their operators, which
    is exact in the induced spaces: a mix of operators is the same mix of the stylized images,
    taken with the induced ⊕ and ⊙ of g_y. Source: arXiv:2510.08570, section 4.2, where styles
    are numbers that a network of the style's index makes; here each is an operator of its own.

    Images of any size that the bijections' squeeze divides are stylized; others are padded by
    reflection and cropped.

    Args:
        g_x: Bijection of contents (C, H, W) to latents (c, h, w), of layers that resize.
        g_y: Bijection of stylized images, with latents of the same shape.
        styles: Convolutions of latents by name, all of one class, so that they add up.

    Raises:
        ShapeError: If the latents or the operators do not fit.
        RangeError: If an operator is no convolution, or of another kind than the others.

    Example:
        >>> import torch, linearizer as lz
        >>> from linearizer.applications import StyleTransfer
        >>> g = [lz.style_bijection((3, 16, 16), depth=1, width=8) for _ in range(2)]
        >>> negative = lz.SymmetricConvolution(-torch.eye(48)[..., None, None], (4, 4))
        >>> model = StyleTransfer(*g, {"negative": negative})
        >>> model.stylize(torch.zeros(2, 3, 30, 50), "negative").shape
        torch.Size([2, 3, 30, 50])
    """

    certified = True

    __repr__ = brief

    def __init__(
        self,
        g_x: Bijection,
        g_y: Bijection,
        styles: Mapping[str, Convolution] | None = None,
    ) -> None:
        super().__init__()
        sizes.check_pair(g_x, g_y)
        self.g_x, self.g_y = g_x, g_y
        self.styles = nn.ModuleDict()
        for name, operator in (styles or {}).items():
            self.add(name, operator)

    # Styles

    @property
    def names(self) -> list[str]:
        """The names of the styles."""
        return list(self.styles)

    @property
    def kind(self) -> type[Convolution]:
        """The class of all styles, and of those to come."""
        return type(self.operator(self.names[0])) if self.names else SymmetricConvolution

    def add(self, name: str, operator: Convolution) -> None:
        """Make an operator a style.

        Raises:
            RangeError: If the name cannot be that of a file.
            ShapeError: If the operator does not map the latents.
        """
        files.check_name(name)
        kind = self.kind if set(self.names) - {name} else Convolution
        if not isinstance(operator, kind):
            raise RangeError(
                f"expected a {kind.__name__} as a style of this model, got a "
                f"{type(operator).__name__}; fit the style for this model"
            )
        sizes.check_operator(operator, self.g_x.out_shape, self.g_y.out_shape)
        self.styles[name] = operator

    def operator(self, style: str) -> Convolution:
        """The operator of a style.

        Raises:
            RangeError: If there is no such style.
        """
        if style not in self.styles:
            known = ", ".join(self.names) or "none yet"
            raise RangeError(
                f"expected a style of {known}, got '{style}'{meant(style, self.names)}; "
                "add it first"
            )
        operator: Convolution = self.styles[style]  # type: ignore[assignment]
        return operator

    @property
    def plain(self) -> Convolution:
        """The operator named `plain`, or else the identity."""
        if PLAIN in self.styles:
            return self.operator(PLAIN)
        return analysis.identity(self.kind, self.g_x.out_shape, reference(self))

    def mix(self, weights: Mapping[str, float]) -> Convolution:
        """`Σ_s w_s A_s`; the weights need not sum to one.

        Raises:
            RangeError: If there is no weight, a style is unknown, or all weights are zero.
        """
        if not weights or not any(weights.values()):
            raise RangeError(
                "expected a style or more to mix, got nothing; name some of "
                f"{', '.join(self.names) or 'the styles that you add'}"
            )
        for name, weight in weights.items():
            check_between(weight, -LARGEST, LARGEST, f"the weight of {name}")
        return analysis.mixed([self.operator(name) for name in weights], weights.values())

    def interpolate(self, a: str, b: str, s: float, *, geodesic: bool = False) -> LinearOperator:
        """From style a at s = 0 to style b at s = 1.

        Linear, `(1 - s) A_a + s A_b`, or along the geodesic `A_a (A_a⁻¹ A_b)^s`.

        Raises:
            NoRealRootError: If the geodesic does not exist.
        """
        check_between(s, 0.0, 1.0, "the place between two styles")
        if not geodesic:
            return self.mix({a: 1 - s, b: s} if a != b else {a: 1.0})
        if s in (0.0, 1.0):
            return self.operator(b if s else a)
        return analysis.on_geodesic(self.operator(a), self.operator(b), s)

    # Maps

    def at(self, size: Sequence[int], operator: LinearOperator) -> Linearizer:
        """The Linearizer of an operator for images (C, *size), which the squeeze must divide."""
        g_x = sizes.resized(self.g_x, size)
        g_y = g_x if self.g_y is self.g_x else sizes.resized(self.g_y, size)
        return Linearizer(g_x, sizes.operator_for(g_x.out_shape, operator), g_y)

    @takes_arrays
    @torch.no_grad()
    def stylize(
        self,
        images: Tensor,
        style: Chosen,
        *,
        strength: float = 1.0,
        cropped: bool = True,
        progress: Progress | None = None,
    ) -> Tensor:
        """Images in a style, a mix of styles, or by any operator of the latents.

        Args:
            images: (*batch, C, H, W) in [-1, 1], of any size from the squeeze up.
            style: A name, weights by name, an operator, or steps: one operator after another.
            strength: 1 is the style, 0 no style: the operator named `plain` if there is one,
                fitted to leave contents as they are, or else the identity; any other number is
                a place on the straight line through both.
            cropped: Whether images whose sides the squeeze does not divide come back in their own
                size. What is cropped away is missing when the style is undone.
            progress: Is told the share of the work that is done, layer by layer.

        Raises:
            ShapeError: If the images are too small or have other channels.
            RangeError: If there is no such style, or a strength is given beside steps.
        """
        whole, crop = self._padded(images)
        styled = stages.stylize(self._maps(whole, style, strength), whole, progress)
        return styled[crop] if cropped else styled

    @takes_arrays
    @torch.no_grad()
    def undo(
        self,
        images: Tensor,
        style: Chosen,
        *,
        strength: float = 1.0,
        progress: Progress | None = None,
    ) -> Tensor:
        """The contents that were stylized, by the pseudo-inverse `g_x⁻¹(A⁺ g_y(x))`.

        The images must be the very numbers that `stylize` returned. Rounding them to 8 bits, or
        cropping them from padded ones, is amplified by the condition number of the style and the
        slopes of g, and what comes back is noise: a `Record` keeps them beside a picture. A⁺ is
        computed in float64: in float32 rounding alone would hide the weakest directions of an
        operator this large. Steps are undone in reverse.
        """
        whole, crop = self._padded(images)
        return stages.undo(self._maps(whole, style, strength), whole, progress)[crop]

    @takes_arrays
    def compose(self, images: Tensor, first: str, second: str) -> Tensor:
        """`g_y⁻¹(A_second A_first g_x(x))`."""
        return self.stylize(images, [Step({first: 1.0}), Step({second: 1.0})])

    @torch.no_grad()
    def cond(self, style: Chosen, *, strength: float = 1.0) -> float:
        """The condition number of a style's operator: how far its undoing amplifies.

        Of steps it is that of their product.
        """
        return analysis.cond(reduce(lambda A, B: B @ A, operators_of(self, style, strength)))

    @torch.no_grad()
    def distances(self) -> Tensor:
        """Relative distances between styles, `|A_a - A_b| / √(|A_a| |A_b|)`, (n, n)."""
        return analysis.distances([self.operator(name) for name in self.names])

    @torch.no_grad()
    def directions(self, style: str, count: int) -> list[LinearOperator]:
        """The leading singular parts of a style: `Σ_ω σ_i(ω) u_i(ω) v_i(ω)ᴴ` for i < count.

        Part i takes the i-th singular triplet of every frequency, so it is a convolution too,
        and acts alike everywhere in an image; all parts add up to the style.

        Raises:
            RangeError: If there are not so many.
        """
        return analysis.directions(self.operator(style), count)

    @torch.no_grad()
    def shared_basis(self) -> SharedBasis:
        """The principal components of all styles but `plain`: the basis that they share.

        Raises:
            RangeError: If there are fewer than two styles.
        """
        names = [name for name in self.names if name != PLAIN]
        return analysis.shared_basis(names, [self.operator(name) for name in names])

    # Learning a style without touching g

    @torch.no_grad()
    def fit(
        self,
        pairs: Iterable[tuple[Tensor, Tensor]],
        *,
        ridge: float = 1e-4,
        kernel_size: int | None = 5,
        refinement: int = 0,
        kind: type[Convolution] | None = None,
        progress: Callable[[float], None] = lambda loss: None,
    ) -> Convolution:
        """The operator of pairs of images, `A g_x(x) ≈ g_y(y)`, without touching g.

        Least squares between latents, in closed form. Latents that are near need not be images
        that look alike: `refinement` lowers `|g_y⁻¹(A g_x(x)) - y|²` itself, beginning at the
        mean of the model's styles or, where there are none, at the closed form.

        Args:
            pairs: Batches of contents and stylized images, (B, *g_x.in_shape) both.
            ridge: Of `ConvolutionLeastSquares.solve`.
            kernel_size: Of `ConvolutionLeastSquares.solve`; None for a kernel of the images' size.
            refinement: Steps of `refine_convolution`, for which all pairs are kept in memory.
            kind: Class of the operator; that of the other styles if not given.
            progress: Is called with the loss of each such step.

        Raises:
            RangeError: If a kernel of the images' size is to be refined.
        """
        return fitting.fit_operator(
            self.g_x,
            self.g_y,
            self.kind if kind is None else kind,
            pairs,
            ridge=ridge,
            kernel_size=kernel_size,
            refinement=refinement,
            styles=[self.operator(name) for name in self.names],
            progress=progress,
        )

    @torch.no_grad()
    def from_picture(
        self, contents: Iterable[Tensor], picture: Tensor, *, content_weight: float = 0.0
    ) -> Convolution:
        """A style from one picture: whitening and coloring of the latents' channels.

        `A = T P`, with P as `plain`, which leaves contents as they are. The matrix
        `T = S_y^½ (S_y^½ S_x S_y^½)^-½ S_y^½` carries the second moments S_x of the latents of
        contents after P to those S_y of the picture's, and is the nearest such map to the
        identity (Mroueh, arXiv:1905.10820); its eigenvalues are bounded to [½, 2], so that what
        hardly occurs in contents is not blown up. Second moments are taken around zero, so that
        the map is linear and not affine; g's ActNorms center the latents roughly.

        Args:
            contents: Batches (B, *g_x.in_shape).
            picture: (C, H, W), at least as large as the kernels of the styles.
            content_weight: w in [0, 1], for `(1 - w) A + w P` with P as `plain`: how much of
                the contents' own colors stays.

        Raises:
            RangeError: If there are no contents, or the weight is out of range.
            ShapeError: If the picture is too small or has other channels.
        """
        check_between(content_weight, 0.0, 1.0, "the weight of the contents")
        whole, _ = self._padded(picture)
        g_y = sizes.resized(self.g_y, whole.shape[-2:])
        plain = self.plain
        A = fitting.colored((self.g_x(x) for x in contents), plain, g_y, whole)
        return analysis.on_line(plain, A, 1 - content_weight)

    def _maps(self, whole: Tensor, style: Chosen, strength: float) -> list[Linearizer]:
        return [self.at(whole.shape[-2:], A) for A in operators_of(self, style, strength)]

    @property
    def factor(self) -> int:
        """What the sides of an image must be multiples of."""
        return sizes.factor(self.g_x)

    def _padded(self, images: Tensor) -> tuple[Tensor, sizes.Crop]:
        """Images whose sides the factor divides, and where in them they were."""
        side = max((self.operator(name).kernel.shape[-1] for name in self.names), default=1)
        return sizes.padded(images, self.g_x.in_shape[0], self.factor, self.factor * side)
