"""Commands for what is under way or in the way: `cancel` and `clean`. Parse, call, print."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from parsenet_cli.cli.completion import complete_signature
from parsenet_cli.cli.options import DEFAULT_RESULTS, FAILED, Results, say


def cancel(
    signatures: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SIGNATURE…]",
            help="Runs' signatures, or their first digits.",
            autocompletion=complete_signature,
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every run that runs or waits.")] = False,
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Ask workers to write a checkpoint and leave.

    Whoever started them, on whichever machine that shares the results folder. To go on, issue their command again.
    """
    from parsenet_cli.runner.cancel import cancel_runs, chosen
    from parsenet_cli.store.run import Store

    if not cancel_runs(chosen(Store(results), signatures or [], everything), say):
        raise typer.Exit(FAILED)


def clean(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    results_too: Annotated[bool, typer.Option("--results-too", help="Finished runs as well.")] = False,
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Show what the results folder can do without, and remove it when told so.

    Caches, checkpoints of done runs, failed and lost runs, temporary files. Never finished results, unless --results-too.
    """
    from parsenet_cli.core.text import size_text
    from parsenet_cli.runner.clean import removable, remove
    from parsenet_cli.store.run import Store

    store = Store(results)
    pieces, working = removable(store, results_too)
    for sentence in store.passed_over():
        say(sentence, err=True)
    if working:
        say(
            f"at work, or perhaps still in the queue: {working} (`parsenet cancel` ends that); until then caches stay, "
            "and failed and lost runs"
        )
    for kind in dict.fromkeys(piece.kind for piece in pieces):
        alike = [piece for piece in pieces if piece.kind == kind]
        say(f"{kind}: {size_text(sum(piece.bytes for piece in alike))}")
        for piece in alike:
            remark = f"  ({piece.remark})" if piece.remark else ""
            say(f"  {size_text(piece.bytes):>10}  {piece.path}{remark}")
    if not pieces:
        say(f"{results}: nothing to remove")
        return
    if not yes:
        if not sys.stdin.isatty():
            say("nothing is removed; --yes removes it")
            return
        typer.confirm("Remove all of this?", abort=True)
    say(f"removed: {size_text(remove(pieces, say))}")
