"""Styles as operators: mixing, interpolating, undoing, composing, fitting, files of their own."""

import pytest
import torch
from torch import Tensor

import linearizer as lz
from linearizer.applications.style_transfer import fitting
from linearizer.errors import FileFormatError, RangeError, ShapeError
from linearizer.spaces import InducedSpace
from linearizer.testing import perturb_

SIZE = (16, 16)
Kind = type[lz.operators.Convolution]


def bijection(seed: int, scale: float = 0.05) -> lz.bijections.Bijection:
    torch.manual_seed(seed)
    g = lz.style_bijection((3, *SIZE), depth=2, width=8)
    return perturb_(g, scale=scale, seed=seed)


KINDS = [lz.SymmetricConvolution, lz.CircularConvolution]


def kernel(seed: int, side: int = 3, kind: Kind = lz.SymmetricConvolution) -> Tensor:
    torch.manual_seed(seed)
    entries = kind.entries(side)
    k = 0.02 * torch.randn(48, 48, entries, entries)
    center = 0 if kind is lz.SymmetricConvolution else side // 2
    k[:, :, center, center] += torch.eye(48)
    return k


def styled(kind: Kind) -> lz.StyleTransfer:
    styles = {
        "one": kind(kernel(1, kind=kind), (4, 4)),
        "two": kind(kernel(2, side=1, kind=kind), (4, 4)),
    }
    return lz.StyleTransfer(bijection(0), bijection(1), styles)


@pytest.fixture(params=KINDS)
def model(request: pytest.FixtureRequest) -> lz.StyleTransfer:
    return styled(request.param)


@pytest.fixture
def photo() -> Tensor:
    torch.manual_seed(7)
    return torch.rand(3, *SIZE) * 2 - 1


def test_a_pure_mix_is_the_style(model, photo):
    pure = model.stylize(photo, "one")
    torch.testing.assert_close(model.stylize(photo, {"one": 1.0, "two": 0.0}), pure, **CLOSE)
    for geodesic in (False, True):
        for s, name in ((0.0, "one"), (1.0, "two")):
            operator = model.interpolate("one", "two", s, geodesic=geodesic)
            torch.testing.assert_close(
                model.stylize(photo, operator), model.stylize(photo, name), **CLOSE
            )


CLOSE = {"rtol": 0.0, "atol": 1e-5}


def test_a_mix_of_operators_is_the_induced_mix_of_images(model, photo):
    """The theorem: (Σ w A)(x) = ⊕ w ⊙ A(x) in the space that g_y induces."""
    W = InducedSpace(model.g_y)
    one, two = (model.stylize(photo, name) for name in ("one", "two"))
    expected = W.add(W.scale(0.3, one), W.scale(0.6, two))
    mixed = model.stylize(photo, {"one": 0.3, "two": 0.6})
    torch.testing.assert_close(mixed, expected, rtol=0.0, atol=1e-4)


@pytest.mark.parametrize("geodesic", [False, True])
def test_distances_along_an_interpolation_are_monotone(model, geodesic):
    ends = [model.operator(name).response() for name in ("one", "two")]
    way = [
        model.interpolate("one", "two", s, geodesic=geodesic).response()
        for s in torch.linspace(0, 1, 9).tolist()
    ]
    assert {A.dtype for A in model.styles.values()} == {torch.float32}
    from_first = torch.stack([(A - ends[0]).norm() for A in way])
    to_last = torch.stack([(A - ends[1]).norm() for A in way])
    assert bool((from_first.diff() > 0).all())
    assert bool((to_last.diff() < 0).all())


def test_a_geodesic_stylizes(model, photo):
    middle = model.interpolate("one", "two", 0.5, geodesic=True)
    assert middle.dtype == torch.float32
    assert bool(model.stylize(photo, middle).isfinite().all())


def test_strength_goes_from_plain_to_the_style(model, photo):
    plain = model.g_y.inverse(model.g_x(photo))
    torch.testing.assert_close(model.stylize(photo, "one", strength=0.0), plain, **CLOSE)
    full = model.stylize(photo, "one", strength=1.0)
    torch.testing.assert_close(full, model.stylize(photo, "one"), **CLOSE)
    model.add("plain", model.fit([(photo[None], photo[None])], ridge=1e-6, kernel_size=None))
    torch.testing.assert_close(
        model.stylize(photo, "one", strength=0.0), photo, rtol=0.0, atol=0.05
    )


def test_undoing_and_redoing_gives_the_stylized_image(model, photo):
    stylized = model.stylize(photo, "one")
    done: list[float] = []
    content = model.undo(stylized, "one", progress=done.append)
    assert done[-1] == 1.0
    torch.testing.assert_close(content, photo, rtol=0.0, atol=1e-3)
    torch.testing.assert_close(model.stylize(content, "one"), stylized, rtol=0.0, atol=1e-3)
    assert 1.0 <= model.cond("one") < 100.0


@pytest.mark.parametrize(("dtype", "least"), [(torch.float32, 70.0), (torch.float64, 200.0)])
def test_twenty_times_there_and_back(model, photo, dtype, least):
    """Nothing is lost that would add up, nor where the squeeze does not divide the sides."""
    model = model.to(dtype)
    for size in (SIZE, (21, 18)):
        first = torch.nn.functional.interpolate(photo[None].to(dtype), size, mode="bilinear")[0]
        content = first
        for _ in range(20):
            styled = model.stylize(content, "one", cropped=False)
            content = model.undo(styled, "one")[..., : size[0], : size[1]]
        error = (content - first).square().mean()
        assert float(10 * torch.log10(4 / error)) > least


def test_composing_multiplies_operators(model, photo):
    product = model.operator("two").to_dense() @ model.operator("one").to_dense()
    f = lz.Linearizer(model.g_x, lz.Dense(product, (48, 4, 4), (48, 4, 4)), model.g_y)
    composed = model.compose(photo, "one", "two")
    torch.testing.assert_close(composed, f(photo), rtol=0.0, atol=1e-4)


def test_the_singular_parts_of_a_style_add_up_to_it(model):
    A = model.operator("one")
    parts = model.directions("one", 48)
    total = torch.stack([part.to_dense() for part in parts]).sum(0)
    torch.testing.assert_close(total, A.to_dense(), rtol=0.0, atol=1e-5)
    assert float(lz.linalg.norm(parts[0])) == pytest.approx(float(lz.linalg.norm(A)), rel=1e-5)
    assert lz.linalg.rank(parts[3]) == 16  # one a frequency
    with pytest.raises(RangeError, match="number of directions"):
        model.directions("one", 49)


def test_styles_are_their_coordinates_in_the_shared_basis(model):
    for name, seed in (("three", 3), ("plain", 4)):
        model.add(name, model.kind(kernel(seed, kind=model.kind), (4, 4)))
    basis = model.shared_basis()
    assert basis.names == ["one", "two", "three"]
    assert basis.coordinates.shape == (3, 2)
    assert float(basis.shares.sum()) == pytest.approx(1.0)
    for name, coordinates in zip(basis.names, basis.coordinates, strict=True):
        made = basis.mean.to_dense()
        for weight, part in zip(coordinates, basis.operators, strict=True):
            made = made + weight * part.to_dense()
        torch.testing.assert_close(made, model.operator(name).to_dense(), rtol=0.0, atol=1e-5)


def test_one_style_shares_no_basis(model):
    lonely = lz.StyleTransfer(model.g_x, model.g_y, {"one": model.operator("one")})
    with pytest.raises(RangeError, match="two styles or more"):
        lonely.shared_basis()


def test_fitting_finds_the_operator_of_pairs(model):
    x = torch.rand(40, 3, *SIZE) * 2 - 1
    y = model.stylize(x, "one")
    found = model.fit(zip(x.split(10), y.split(10), strict=True), ridge=0.0, kernel_size=3)
    torch.testing.assert_close(found.kernel, model.operator("one").kernel, rtol=0.0, atol=1e-3)


def test_refining_lowers_the_error_of_images():
    """Pairs that no operator can make: least squares of latents is not the best for images."""
    model = lz.StyleTransfer(bijection(0), bijection(1, scale=0.15))
    x = torch.rand(40, 3, *SIZE) * 2 - 1
    pairs = list(
        zip(x.split(20), (x.abs().sqrt() - x.roll(1, -1).sign() / 2).split(20), strict=True)
    )

    def error(operator: lz.LinearOperator) -> float:
        made = (model.stylize(a, operator) - b for a, b in pairs)
        return float(torch.cat(list(made)).square().mean())

    losses: list[float] = []
    start = model.fit(pairs, kernel_size=3)
    refined = model.fit(pairs, kernel_size=3, refinement=100, progress=losses.append)
    assert len(losses) == 100
    assert error(refined) < 0.9 * error(start)
    again = model.fit(pairs, kernel_size=3, refinement=100)
    torch.testing.assert_close(again.kernel, refined.kernel, rtol=0.0, atol=0.0)
    assert all(p.requires_grad for p in model.g_y.parameters())
    with pytest.raises(RangeError, match="size of a kernel"):
        model.fit(pairs, kernel_size=None, refinement=1)


def test_whitening_gives_contents_the_moments_of_a_picture(model, photo, monkeypatch):
    monkeypatch.setattr(fitting, "STRETCH", 1e6)
    contents = torch.rand(50, 3, *SIZE) * 2 - 1
    operator = model.from_picture(contents.split(25), photo)

    def moment(z: Tensor) -> Tensor:
        rows = z.double().movedim(-3, -1).flatten(0, -2)
        return rows.mT @ rows / len(rows)

    target = moment(model.g_y(photo))
    found = moment(operator(model.g_x(contents)))
    assert float(((found - target).norm() / target.norm()).detach()) < 0.05


def test_the_style_of_a_picture_stretches_no_color_too_much(model, photo):
    contents = 0.01 * (torch.rand(50, 3, *SIZE) * 2 - 1)  # hardly vary
    operator, plain = model.from_picture(contents.split(25), photo), model.plain
    with torch.no_grad():
        changes = torch.linalg.solve(plain.response().mT, operator.response().mT).mT
    assert torch.linalg.svdvals(changes).max() < fitting.STRETCH * 1.001
    assert torch.linalg.svdvals(changes).min() > 0.999 / fitting.STRETCH


@pytest.mark.parametrize("size", [(16, 16), (32, 20), (21, 35)])
def test_any_size_is_stylized(model, size):
    image = torch.rand(3, *size) * 2 - 1
    stylized = model.stylize(image, {"one": 0.5, "two": 0.5})
    assert stylized.shape == image.shape
    assert bool(stylized.isfinite().all())


def test_a_larger_image_is_stylized_by_the_same_maps(model, photo):
    """A mirrored image has the statistics of its quarter, and looks like it far from the seam."""
    wide = torch.cat([photo, photo.flip(-1)], -1)
    large = torch.cat([wide, wide.flip(-2)], -2)
    resized = model.g_x.resized((32, 32))
    assert resized.in_shape == (3, 32, 32)
    error = resized(large)[:, :2, :2] - model.g_x(photo)[:, :2, :2]
    assert error.abs().mean() < 0.1
    assert next(resized.parameters()) is next(model.g_x.parameters())
    assert resized.round_trip(large) < 1e-4


def test_distances_of_styles(model):
    d = model.distances()
    assert d.shape == (2, 2)
    torch.testing.assert_close(d, d.mT)
    assert d.diagonal().abs().max() == 0.0


def test_saved_once_with_styles_as_files_of_their_own(model, photo, tmp_path):
    model.save_pretrained(tmp_path / "model")
    again = lz.load(tmp_path / "model")
    assert again.names == ["one", "two"]
    torch.testing.assert_close(again.stylize(photo, "one"), model.stylize(photo, "one"))
    style = tmp_path / "model" / "styles" / "one"
    assert (style / "model.safetensors").stat().st_size < 1.2 * 4 * model.operator(
        "one"
    ).kernel.numel()

    twin = lz.StyleTransfer(model.g_x, model.g_y)
    assert twin.load_style(style, "renamed") == "renamed"
    assert twin.names == ["renamed"]
    other = lz.StyleTransfer(bijection(5), bijection(6))
    with pytest.raises(FileFormatError, match="another g"):
        other.load_style(style)


def test_bad_input(model, photo):
    with pytest.raises(RangeError, match="one, two"):
        model.stylize(photo, "three")
    for nothing in ({}, {"one": 0.0}):
        with pytest.raises(RangeError, match="nothing"):
            model.stylize(photo, nothing)
    least = 4 * model.operator("one").kernel.shape[-1]
    with pytest.raises(ShapeError, match=f"at least {least}×{least}"):
        model.stylize(torch.zeros(3, least - 4, 40), "one")
    with pytest.raises(ShapeError, match="3, 16, 16"):
        model.stylize(torch.zeros(1, 16, 16), "one")
    with pytest.raises(RangeError, match="name of letters"):
        model.add("../../etc", model.operator("one"))
    with pytest.raises(ShapeError, match="another g"):
        model.add("three", model.kind(torch.eye(3)[..., None, None], (4, 4)))
    with pytest.raises(ShapeError, match="any size"):
        lz.image_bijection((1, 8, 8), depth=1, width=8).resized((16, 16))


def test_one_g_on_both_sides_stays_one_at_any_size(model):
    both = lz.StyleTransfer(model.g_x, model.g_x, {"one": model.operator("one")})
    f = both.at((24, 20), both.operator("one"))
    assert f.g_x is f.g_y
    x = torch.rand(3, 24, 20)
    torch.testing.assert_close((f**2)(x), f(f(x)), rtol=1e-3, atol=1e-3)


def test_all_styles_are_of_one_kind(tmp_path):
    model, other = styled(lz.SymmetricConvolution), styled(lz.CircularConvolution)
    with pytest.raises(RangeError, match=r"expected a SymmetricConvolution .* CircularConvolution"):
        model.add("three", other.operator("one"))
    place = other.save_style("one", tmp_path)
    with pytest.raises(RangeError, match="expected a SymmetricConvolution"):
        model.load_style(place, "three")
    with pytest.raises(RangeError, match=r"expected a Convolution .* got a Dense"):
        lz.StyleTransfer(model.g_x, model.g_y, {"one": lz.Dense(torch.eye(768), (48, 4, 4))})
    assert lz.StyleTransfer(model.g_x, model.g_y).kind is lz.SymmetricConvolution
    lonely = lz.StyleTransfer(model.g_x, model.g_y, {"one": model.operator("one")})
    lonely.add("one", other.operator("one"))  # it replaces the only one
    assert lonely.kind is lz.CircularConvolution


def test_what_is_learned_is_of_the_kind_of_the_others(model, photo):
    x = photo[None]
    for operator in (
        model.fit([(x, x)], kernel_size=1),
        model.fit([(x, x)], kernel_size=None),
        model.fit([(x, x)], kernel_size=3, refinement=1),
        model.from_picture([x], photo),
        model.mix({"one": 0.5, "two": 0.5}),
    ):
        assert type(operator) is model.kind
    for kind in KINDS:
        assert type(model.fit([(x, x)], kernel_size=3, kind=kind)) is kind


def test_one_border_does_not_reach_the_opposite_one():
    """Of symmetric styles; circular ones wrap around."""
    for kind, untouched in zip(KINDS, (True, False), strict=True):
        model = styled(kind)
        A = model.at((16, 64), model.operator("one")).operator
        latent = torch.randn(A.in_shape)
        changed = latent.clone()
        changed[..., 0] += 1.0
        z = [A(latent), A(changed)]
        assert torch.equal(z[0][..., -1], z[1][..., -1]) == untouched
