"""The figures of docs/fidelity.md, computed: a row per group of arrays, a row per network, and the two gradients."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from typing import get_args

import torch

from parsenet_cli.models.norm import L2Norm
from tests.golden import nets, networks, vectors
from tests.golden.comparison import compared
from tests.golden.differences import BOUNDS, Difference
from tests.golden.finite_differences import Deviation, demonstration, deviation, in_the_trunk
from tests.golden.normalisation import Form
from tests.golden.vectors import Case

BEGIN = "<!-- figures: written by `make fidelity`, do not edit -->"
END = "<!-- end of figures -->"
SPREADS = (0.0, 0.02, 0.2, 0.5)
DRAWS = 5
NETWORK_COLUMNS = {
    "activations, loss": ["networks: activations, loss, gradient of the scores"],
    "gradients": ["networks: gradients of the parameters"],
    "losses": ["networks: losses of 10 steps"],
    "parameters": ["networks: parameters after 1 and 10 steps"],
    "distance": ["networks: distance covered in 10 steps"],
    "exact form: gradients": ["networks, exact form: gradients of the parameters"],
    "exact form: parameters": [
        "networks, exact form: parameters, one scale per layer",
        "networks, exact form: parameters, one scale per channel",
    ],
}
"""Column of the table of networks -> the groups it shows the worst of."""


def figures() -> str:
    """The whole generated section, as Markdown. It compares every case anew, which takes some seconds.

    Raises:
        ValueError: a case is beyond its bound, or a group has no array: such figures are not to be published.
    """
    cases = [compared(file, name) for file, name in vectors.cases()]
    too_far = [f"{case.title} {each.array}" for case in cases for each in case.differences if not each.fits]
    if too_far:
        raise ValueError(f"beyond their bounds: {too_far}")
    arrays = sum(len(case.differences) for case in cases)
    sections = [
        f"{len(cases)} cases in {len(vectors.FILES)} files, {arrays} comparisons of arrays, all within their bounds "
        f"(PyTorch {torch.__version__}, {platform.machine()} CPU, one thread).",
        "### By kind of array",
        _groups(cases),
        "### By network",
        _networks([case for case in cases if case.file == "parsenet_mini"]),
        "### The two gradients of the norm",
        _gradients(),
        _one_pixel(),
        _in_a_network(),
    ]
    return "\n\n".join([BEGIN, *sections, END])


def replaced(page: str) -> str:
    """The page with the section between the markers computed anew. Raises ValueError where a marker is missing."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"expected the lines {BEGIN} and {END}")
    return before + figures() + after


def number(value: float) -> str:
    """Two digits, and 0 for what is exactly 0."""
    return f"{value:.1e}" if value else "0"


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table; the first column is text, the others are numbers."""
    header = list(header)
    lines = [header, ["---", *["--:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _groups(cases: list[Case]) -> str:
    rows = []
    for group, bound in BOUNDS.items():
        found = [(case, each) for case in cases for each in case.differences if each.group == group]
        if not found:
            raise ValueError(f"no array was compared as {group}")
        counts = len({case.title for case, _ in found}), len(found)
        largest = max(each.absolute for _, each in found), max(each.relative for _, each in found)
        rows.append([group, *map(str, counts), *map(number, (*largest, bound))])
    return table(["arrays", "cases", "comparisons", "worst absolute", "worst relative", "bound"], rows)


def _networks(cases: list[Case]) -> str:
    rows = [
        [f"`{case.name}`", *(_worst(case.differences, groups) for groups in NETWORK_COLUMNS.values())] for case in cases
    ]
    return table(["worst relative difference", *NETWORK_COLUMNS], rows)


def _worst(differences: list[Difference], groups: list[str]) -> str:
    found = [each.relative for each in differences if each.group in groups]
    return number(max(found)) if found else "–"


def _gradients() -> str:
    rows = []
    for spread in SPREADS:
        label = f"±{spread:.0%}" if spread else "equal"
        draws = [demonstration(spread, draw) for draw in range(DRAWS)]
        for layer in draws[0]:
            exact = number(max(found[layer]["exact"].error for found in draws))
            rows.append([f"{layer}, {label}", exact, *_range([found[layer]["authors"] for found in draws])])
        rows.append([f"trunk, {label}", "–", *_range([in_the_trunk(spread, draw) for draw in range(DRAWS)])])
    header = ["gradient, spread of the scales", "`exact`, largest error", "`authors`, smallest error", "largest error"]
    return table([*header, "smallest cosine"], rows)


def _range(found: list[Deviation]) -> list[str]:
    errors = [each.error for each in found]
    return [number(min(errors)), number(max(errors)), f"{min(each.cosine for each in found):.4f}"]


def _one_pixel() -> str:
    x = torch.tensor([3.0, 4.0]).view(1, 2, 1, 1).requires_grad_()
    found = {}
    for form in get_args(Form):
        norm = L2Norm(2, gradient=form)
        norm.scale.data = torch.tensor([10.0, 20.0])
        y = norm(x)
        (gradient,) = torch.autograd.grad(y, x, torch.ones_like(y))
        found[form] = ", ".join(f"{value:.2f}" for value in gradient.flatten().tolist())
    top = ", ".join(f"{value:g}" for value in y.flatten().tolist())
    return (
        f"One pixel with two channels: x = (3, 4), scales (10, 20), y = ({top}), gradient from above (1, 1). Exact: "
        f"({found['exact']}). Authors: ({found['authors']})."
    )


def _in_a_network() -> str:
    case = vectors.case("parsenet_mini", "early_spread")
    recorded = {name: case.given(f"grad/{name}") for name in nets.trunk_parameters(case)}
    exact = networks.train(case, norm_gradient="exact").gradients
    found = deviation(networks.trunk_gradient(case, recorded), networks.trunk_gradient(case, exact))
    return (
        "The network `early_spread` (scales 10 ±30 %): the recorded gradient of all trunk parameters is off the exact one "
        f"by {found.error:.1%} of its length, cosine {found.cosine:.4f}."
    )
