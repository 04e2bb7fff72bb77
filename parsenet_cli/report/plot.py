"""How every figure looks, and how it becomes a file. Figures are readable at the width of a column and without colour vision."""

from __future__ import annotations

import base64
import io
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from parsenet_cli.core import paths
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import atomic_write
from parsenet_cli.core.palette import LONGEST_SIDE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure, SubFigure

_UNDATED = {"png": {"Software": None}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}
SUFFIXES = tuple(_UNDATED)
"""What a figure can be written as."""

STYLE = paths.PACKAGE / "report/figures.mplstyle"

COLUMN, PAGE = 3.4, 7.0
"""Widths in inches of one column and of a page."""

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f", "#b8a800")
"""Told apart by colour-blind readers (Okabe and Ito's, the black one grey and the yellow one darker), on white and on black."""

INK, QUIET = "#222222", "#8a8a8a"
"""Of text, and of what stands back; on a page ink is the colour of its text."""


@contextmanager
def style() -> Iterator[None]:
    """Within the block figures are drawn and saved in the project's manner, whatever the user's matplotlibrc says.

    The same figure gives the same bytes."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(matplotlib.rc_params_from_file(STYLE, use_default_template=False))
        matplotlib.rcParams["svg.hashsalt"] = "parsenet"
        yield


def new(width: float, height: float) -> Figure:
    """An empty figure, in inches, that no window manager knows of."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height))


def caption(figure: Figure | SubFigure, text: str, width: float) -> None:
    """A quiet line or two below the figure: what it was measured on."""
    import textwrap

    lines = textwrap.fill(text, round(width * 21))
    figure.supxlabel(lines, x=0.01, ha="left", fontsize=6, color=QUIET)


def log_axis(axes: Axes, which: Literal["x", "y"]) -> None:
    """Make an axis logarithmic, with numbers as text, also between the powers of ten where it spans few of them."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set(**{f"{which}scale": "log"})
    low, high = axes.get_xlim() if which == "x" else axes.get_ylim()
    axis: Axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(LogLocator(subs=(1.0,) if math.log10(high / low) > 2.5 else (1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: _number(value)))
    axis.set_minor_formatter(NullFormatter())


def percent(share: float) -> str:
    """`21 %`."""
    return f"{100 * share:.0f} %"


def seeds(number: int) -> str:
    """`1 seed`, `3 seeds`."""
    return f"{number} seed{'' if number == 1 else 's'}"


def _number(value: float) -> str:
    """`0.01`, `20`, `50 000`, and powers of ten beyond that."""
    if 1e-3 <= value < 1e6:
        return f"{value:,.0f}".replace(",", " ") if value >= 1 else f"{value:g}"
    mantissa, exponent = f"{value:.0e}".split("e")
    power = "10" + str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return power if mantissa == "1" else f"{mantissa}·{power}"


def image_axes(axes: Axes) -> None:
    """No ticks and no frame: for an image."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def check_output(path: Path) -> None:
    """Raises `UserError` when a figure cannot be written under this name."""
    if path.suffix.lower().removeprefix(".") not in SUFFIXES:
        raise UserError(f"--out {path}: expected a name that ends in .{', .'.join(SUFFIXES)}")
    if path.is_dir():
        raise UserError(f"--out {path}: this is a folder; expected a file, for example {path / 'figure.png'}")


def save(figure: Figure, path: Path) -> None:
    """Write a figure in the form its name ends with, whole. Raises `UserError` where it cannot be written."""
    check_output(path)
    form = path.suffix.lower().removeprefix(".")
    with atomic_write(path) as file:
        figure.savefig(file, format=form, metadata=_UNDATED[form])


def to_svg(figure: Figure, prefix: str) -> str:
    """A figure as an `<svg>` element for a page; its ids begin with `prefix`, so that several fit into one page."""
    content = io.StringIO()
    figure.savefig(content, format="svg", metadata=_UNDATED["svg"], transparent=True)
    text = content.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text[text.index("<svg") :], flags=re.DOTALL)
    # matplotlib makes ids of coordinates to their last bit, in which two layouts of one figure may differ.
    ids = {name: f"{prefix}-{n}" for n, name in enumerate(dict.fromkeys(re.findall(r'\bid="([^"]+)"', text)))}
    text = re.sub(r'(\bid="|url\(#|href="#)([^")]+)', lambda found: found[1] + ids.get(found[2], found[2]), text)
    return text.replace(INK, "currentColor")


def to_base64(pixels: npt.NDArray[np.uint8]) -> str:
    """An image (H, W, 3) as a JPEG, or a label map (H, W) as a PNG, in base64, to be kept in JSON."""
    from PIL import Image

    content = io.BytesIO()
    form, options = ("JPEG", {"quality": 85}) if pixels.ndim == 3 else ("PNG", {"optimize": True})
    Image.fromarray(pixels).save(content, form, **options)
    return base64.b64encode(content.getvalue()).decode()


def from_base64(text: str) -> npt.NDArray[np.uint8]:
    """The pixels of `to_base64`."""
    from PIL import Image

    with Image.open(io.BytesIO(base64.b64decode(text)), formats=["JPEG", "PNG"]) as image:
        if max(image.size) > LONGEST_SIDE:
            raise ValueError(f"an image of {image.size[0]} x {image.size[1]} pixels")
        return np.array(image)
