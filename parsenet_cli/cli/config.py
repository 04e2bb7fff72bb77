"""`config`: what a run is composed of, before there is one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from parsenet_cli.cli.completion import complete_override
from parsenet_cli.cli.options import DEFAULT_RESULTS, AsJson, ProfileName, Results, say
from parsenet_cli.core.errors import UserError

if TYPE_CHECKING:
    from parsenet_cli.config.compose import Composer
    from parsenet_cli.core.run_config import RunConfig


def config(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            help="Overrides such as norm=l2, and a cell such as table4.conv4.norm.", autocompletion=complete_override
        ),
    ] = None,
    profile: ProfileName = "quick",
    results: Results = DEFAULT_RESULTS,
    as_json: AsJson = False,
) -> None:
    """Show what a run is composed of; run nothing.

    The configuration of the run that `train` with these overrides makes, or of a table's cell, as its config.yaml will have it;
    above it, as comments, the signature and what deviates from the protocol. Without data or weights it is shown all the same.
    """
    from parsenet_cli.config import deviations, table_file
    from parsenet_cli.config import profile as profiles
    from parsenet_cli.config.compose import Composer
    from parsenet_cli.core.run_config import to_yaml
    from parsenet_cli.store.run import Store

    named = [text for text in arguments or [] if table_file.is_cell(text)]
    overrides = [text for text in arguments or [] if text not in named]
    if len(named) > 1:
        raise UserError(f"{' '.join(named)}: expected one cell")
    cell = table_file.cell(named[0]).overrides if named else ()
    composer = Composer(profiles.load(profile), overrides, Store(results).cache)
    composer.launcher(overrides)
    composed, signature, reason = _composed(composer, cell)
    sets = deviations.cell_settings(cell) if named else None
    deviating = [each.text for each in deviations.deviations_of(deviations.settings_of(composed.science), sets)]
    if as_json:
        about = {"signature": signature, "reason": reason or None, "deviations": deviating}
        say(json.dumps({**about, **composed.model_dump(mode="json")}, indent=2))
        return
    above = [f"signature: {signature or reason}", *(f"deviates: {text}" for text in deviating or ["nothing"])]
    say("\n".join(f"# {line}" for text in above for line in text.splitlines()))
    say(to_yaml(composed).rstrip())


def _composed(composer: Composer, cell: tuple[str, ...]) -> tuple[RunConfig, str | None, str]:
    """The configuration, its signature, and why there is none: no such network, or data or weights that are not here."""
    from parsenet_cli.data import sets
    from parsenet_cli.models import support

    composed = composer.unidentified(cell)
    if reason := support.unsupported(composed.science) or sets.unpublished_mean(composed.science):
        return composed, None, f"none, this network cannot be built: {reason}"
    try:
        composed = composer.run_config(cell)
    except UserError as problem:
        return composed, None, f"not known yet: {problem}"
    return composed, composed.signature, ""
