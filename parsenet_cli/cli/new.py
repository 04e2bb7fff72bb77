"""`new`: the files of a block of one's own."""

from __future__ import annotations

from typing import Annotated

import typer

from parsenet_cli.cli.completion import complete_group
from parsenet_cli.cli.options import say


def new(
    group: Annotated[str, typer.Argument(help="context or gate.", autocompletion=complete_group)],
    name: Annotated[str, typer.Argument(help="Of the block, in small letters.")],
) -> None:
    """Write a block of your own that trains at once: module, YAML and test, with comments.

    Into ./parsenet_blocks, ./conf and ./tests; nothing is replaced. Then: parsenet train GROUP=NAME.
    """
    from parsenet_cli.config import skeleton

    for file in skeleton.write(group, name):
        say(f"written: {file}")
    say(f"Edit it, and then: parsenet train {group}={name}")
