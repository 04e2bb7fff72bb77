"""`parsenet weights …`: parse, call, print. What each command does is in `parsenet_cli.models.weights.convert`."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from parsenet_cli.cli.completion import complete_trunk, complete_weights
from parsenet_cli.cli.options import DEFAULT_RESULTS, Results, print_grid, say, say_addresses

if TYPE_CHECKING:
    from parsenet_cli.models.preprocessing_spec import Order

app = typer.Typer(
    help="List, get and convert a trunk's pretrained weights.", no_args_is_help=True, rich_markup_mode=None
)


class ChannelOrder(StrEnum):
    """Values of `--order`."""

    rgb = "RGB"
    bgr = "BGR"


TrunkName = Annotated[str, typer.Option("--trunk", help="Whose weights they are.", autocompletion=complete_trunk)]


@app.command("list")
def list_(results: Results = DEFAULT_RESULTS) -> None:
    """Show the sources of every trunk, and which of them are here."""
    from parsenet_cli.core.text import size_text
    from parsenet_cli.models.weights import sources
    from parsenet_cli.report.blocks import words

    heads = ("trunk", "source", "bodies", "order", "here", "file", "size", "sha256", "origin")
    rows = []
    for trunk, name, source, converted, metadata in sources.list_sources(_folder(results)):
        bodies = " ".join(source.bodies)
        bodies += f" (without {' '.join(source.reinitialized)})" if source.reinitialized else ""
        order = (metadata or {}).get("channel_order", source.normalization.order)
        digits = metadata.get("source_sha256", "") if metadata else (source.checksum or "").removeprefix("sha256:")
        size = size_text(converted.stat().st_size) if metadata else size_text(source.size) if source.size else ""
        file = str(converted) if metadata else source.file
        here = "yes" if metadata else "no"
        rows.append((trunk, name, bodies, order, here, file, size, digits[:12] or "-", source.origin))
    print_grid(words(heads, rows, labels=2, title="Weights (weights=NAME)"))
    listed = sources.list_sources(_folder(results))
    say_addresses((f"{trunk} {name}", source.mirrors) for trunk, name, source, _, _ in listed)


@app.command()
def get(
    name: Annotated[
        str | None,
        typer.Argument(help="A source; all that weights=imagenet means if not given.", autocompletion=complete_weights),
    ] = None,
    trunk: TrunkName = "vgg16",
    given: Annotated[Path | None, typer.Option("--from", help="The published file, where you have it already.")] = None,
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Download published weights, check and convert them.

    An interrupted download goes on where it stopped; what is there is not fetched again.
    """
    from parsenet_cli.core.errors import UserError
    from parsenet_cli.models.weights import sources

    chosen = sources.source_names(trunk, name)
    if given is not None and len(chosen) > 1:
        raise UserError(f"--from {given}: say which source it is: {', '.join(chosen)}")
    from parsenet_cli.models.weights.convert import get_weights

    for source in chosen:
        file = get_weights(trunk, source, _folder(results), partial(say, err=True), given)
        say(f"weights={source}: {file}")


@app.command()
def convert(
    file: Annotated[Path, typer.Argument(help="A .caffemodel, .pth, .pt or .safetensors file.")],
    out: Annotated[Path, typer.Argument(help="The .safetensors file to write.")],
    trunk: TrunkName = "vgg16",
    body: Annotated[str | None, typer.Option("--body", help="Decimate fc6 and fc7 to this body.")] = None,
    order: Annotated[
        ChannelOrder | None, typer.Option("--order", help="Channel order of its input, if you know better.")
    ] = None,
    convolutions: Annotated[bool, typer.Option("--convolutions", help="Leave fc6 and fc7 out.")] = False,
) -> None:
    """Write a weights file as safetensors, with its channel order and mean; use it as weights=OUT."""
    from parsenet_cli.models.weights.convert import convert_file

    chosen: Order | None = None if order is None else "RGB" if order is ChannelOrder.rgb else "BGR"
    say(str(convert_file(file, out, trunk, body=body, order=chosen, convolutions=convolutions)))


def _folder(results: Path) -> Path:
    from parsenet_cli.store.run import Store

    return Store(results).cache / "weights"
