"""Follow a page line by line, as a newcomer does: `python first_hour.py PAGE`.

Runs in an environment that has the wheels and no tests, so it needs nothing but the library. Every
statement of the page's Python blocks is run by itself; where a claim belongs to it, the claim is
evaluated right after it. Prints one line for each claim.
"""

import ast
import contextlib
import io
import re
import sys
from pathlib import Path

CLAIMS = {
    "README.md": {
        "h(x), f.svd()": [
            "h(x).shape == (5, 8)",
            "f.rank() == 8",
            "torch.allclose(f.solve(f(x)), x, atol=1e-2)",
        ],
        "a, b = f(V.add(x, y))": ["torch.allclose(a, b, rtol=1e-3, atol=1e-3)"],
        "print(superposition_errors(f, x, y))": ["induced < 1e-5", "0.2 < plain < 3"],
        "f = digits.between(3, 8)": ["isinstance(f, lz.Linearizer)"],
        "print(superposition_errors(f, threes": ["induced < 1e-5", "0.2 < plain < 3"],
        "threes = digits.sample(4": ["digits.classify(threes).tolist() == [3] * 4"],
        "digits.encode(threes).shape": [
            "torch.allclose(digits.at(3).decode(digits.at(3).encode(threes)), threes, atol=1e-3)"
        ],
        "digits.translate(threes, to=8)": [
            "digits.classify(digits.translate(threes, to=8)).tolist() == [8] * 4"
        ],
        "digits.log_prob(threes), digits": [
            "digits.log_prob(threes).isfinite().all()",
            "torch.allclose(digits.posterior(threes).sum(1), torch.ones(4), atol=1e-4)",
        ],
    },
    "tour.md": {
        "g.round_trip(x)": ["_ < 1e-4", "(g(x + 1) - g(x)).std(0).max() > 0.05"],
        "V.add(u, v) - (u + v)": ["_.abs().max() > 0.1"],
        "V.add(u, V.scale(-1.0, u))": ["torch.allclose(_, V.zero(), atol=1e-4)"],
        "f = lz.Linearizer(g, A": ["f(x).shape == (100, 4)"],
        "s.left.shape": [
            "torch.allclose(f(s.right[:4]), f.codomain.scale(s.singular_values, s.left), atol=1e-3)"
        ],
        "print(superposition_errors(f": ["induced < 1e-5", "0.2 < plain < 3"],
        "a_tenth_of_a_step": [
            "torch.allclose((a_tenth_of_a_step ** 10)(x), dynamics(x), atol=1e-3)"
        ],
        "h = lz.Linearizer.fit": ["torch.allclose(h(x), y, rtol=1e-2, atol=1e-2)"],
        "low.rank()": ["_ == 2"],
        "type(lz.linalg.pinv(B)).__name__": ["_ == 'IdentityPlusLowRank'"],
        "once = flow.collapse(100": ["torch.allclose(many, once, rtol=1e-3, atol=1e-3)"],
        "flow.encode(data), flow": [
            "torch.allclose(flow.decode(flow.encode(data)), data, atol=1e-2)"
        ],
        "eights = digits.translate": ["digits.classify(eights).tolist() == [8] * 10"],
        "once = projector.project": [
            "torch.allclose(projector.project(once), once, rtol=1e-3, atol=1e-3)"
        ],
        "projector.generate(10": ["_.shape == (10, 6)"],
        "again = lz.load(folder)": ["torch.equal(again(x), f(x))"],
    },
}
"""What a page says of a statement, by how the statement begins; `_` is its value."""

PRINTED = re.compile(r"induced (\S+), plain (\S+)")


def follow(page: Path) -> None:
    """Run all statements of a page, and check what is claimed of each.

    Raises:
        AssertionError: If a claim is false, or belongs to no statement of the page.
    """
    text = page.read_text(encoding="utf-8")
    names: dict[str, object] = {}
    exec("import torch; torch.manual_seed(0)", names)
    open_claims = dict(CLAIMS[page.name])
    for block in re.findall(r"^```python\n(.*?)^```", text, re.S | re.M):
        for statement in ast.parse(block).body:
            source = ast.unparse(statement)
            printed = run(statement, names)
            key = next((k for k in open_claims if as_parsed(source).startswith(as_parsed(k))), None)
            if key is None:
                continue
            numbers = {}
            if found := PRINTED.search(printed):
                numbers = {"induced": float(found[1]), "plain": float(found[2])}
            for claim in open_claims.pop(key):
                assert eval(claim, {**names, **numbers}), (
                    f"{page.name}: {source}: {claim} {printed}"
                )
                print(f"{page.name}: {claim} {printed.strip()}")
    assert not open_claims, f"{page.name} no longer has {list(open_claims)}"


def run(statement: ast.stmt, names: dict[str, object]) -> str:
    """What a statement prints; the value of an expression is `_`."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        if isinstance(statement, ast.Expr):
            names["_"] = eval(compile(ast.Expression(statement.value), "page", "eval"), names)
        else:
            exec(compile(ast.Module([statement], []), "page", "exec"), names)
    return out.getvalue()


def as_parsed(source: str) -> str:
    """Source without brackets, quotes and spaces that parsing may add or change."""
    return re.sub(r"[\s()'\"]", "", source)


if __name__ == "__main__":
    follow(Path(sys.argv[1]))
