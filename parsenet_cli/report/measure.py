"""`parsenet figure`: measure what a figure shows, keep it, draw it."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parsenet_cli.config.overrides import AXES, LISTED, RECIPE_KEYS
from parsenet_cli.core.errors import UserError, unknown
from parsenet_cli.core.files import NotWritten
from parsenet_cli.core.sealed import parse_json
from parsenet_cli.core.text import Progress, shown
from parsenet_cli.report import figures, plot
from parsenet_cli.store import artifacts, choice, study
from parsenet_cli.store import figures as figure_store
from parsenet_cli.store.run import Store
from parsenet_cli.store.study import Study

if TYPE_CHECKING:
    from parsenet_cli.engine.cost import Configurations
    from parsenet_cli.engine.loaded import LoadedNetwork

DEFAULT_FORMS = ("png", "pdf")
_WORDS = {"network": "a network", "configurations": "configurations"}
MOST = 10_000
"""Of whatever a figure's option counts."""


def make_figure(
    store: Store,
    name: str,
    arguments: Sequence[str],
    profile: str | None,
    run: str | None,
    out: Path | None,
    progress: Progress,
) -> list[Path]:
    """Write the figure `name`: to `out`, or as PNG and PDF into <results>/figures/; returns the files.

    `arguments` are tables, the figure's own options (`images=8`) and overrides (`norm=none`), as the figure takes them.

    Raises:
        UserError: no such figure, or an argument it does not take; a run without a model, a table that was not run.
    """
    module = figures.find(name)
    if out is not None:
        plot.check_output(out)
    tables, options, overrides = _sorted_out(name, module, arguments)
    of = figures.subject(module)
    if of != "study":
        if tables:
            alone = "name overrides, or a run with --run" if of == "network" else "name overrides, or --profile"
            raise UserError(f"figure {name} is of {_WORDS[of]}, not of a table ({tables[0]}): {alone}")
        subject: LoadedNetwork | Configurations
        if of == "network":
            subject = _network(store, overrides, profile, run, progress)
            about = {**subject.about, "profile": None if run else profile or "quick"}
        else:
            subject = _configurations(store, name, overrides, profile, run, progress)
            about = subject.about
        options = {**figures.options(module), **options}  # all: another version's defaults are another measurement
        digest = hashlib.sha256(json.dumps(subject.about, sort_keys=True).encode()).hexdigest()[:12]
        key = figure_store.measurement_key(digest, options)
        data = figure_store.load(store, name, key)  # what it is of does not change
        if data is None:
            data = _kept(store, name, key, about, options, module.data(subject, **options), progress)
        else:
            progress(f"measured before: {figure_store.file_of(store, name, key)}")
        measured = {name: data}
    else:
        if overrides or run:
            raise UserError(
                f"figure {name} is of a table as it was run: it takes no {f'--run {run}' if run else overrides[0]}"
            )
        measured = {}
        for one in _studies(store, name, tables or getattr(module, "TABLES", ()), profile, progress):
            about = {
                "study": one.name,
                "table": one.table.name,
                "profile": one.profile,
                "seeds": len(one.seeds),
                "overrides": list(one.overrides),
            }
            key, data = figure_store.measurement_key(one.name, options), module.data(one, store, **options)
            measured[f"{name}-{one.table.name}"] = _kept(store, name, key, about, options, data, progress)
    if out is not None and len(measured) > 1:
        raise UserError(
            f"--out {out}: expected one table, found {len(measured)}; without --out each gets a file of its own"
        )
    written: list[Path] = []
    for stem, data in measured.items():
        targets = [out] if out is not None else [store.figures / f"{stem}.{form}" for form in DEFAULT_FORMS]
        with plot.style(), figures.drawing(name, data) as figure:
            for target in targets:
                plot.save(figure, target)
        written += targets
    return written


def _network(
    store: Store, overrides: Sequence[str], profile: str | None, signature: str | None, progress: Progress
) -> LoadedNetwork:
    """A run's trained network, or the one that a run of these overrides would start from."""
    from parsenet_cli.config import profile as profiles
    from parsenet_cli.config.compose import Composer
    from parsenet_cli.engine import loaded

    if signature is not None:
        if overrides or profile:
            raise UserError(
                f"--run {signature} says which network: it takes no {overrides[0] if overrides else '--profile'}"
            )
        return loaded.from_run(store.find(signature), store.cache, progress)
    composer = Composer(profiles.load(profile or "quick"), overrides, store.cache)
    config = composer.run_config(loaded.EVERY_LAYER)
    composer.save()
    artifacts.verify_weights_file(config.runtime.weights_file)
    return loaded.from_config(config, store.cache, progress)


def _configurations(
    store: Store, name: str, overrides: Sequence[str], profile: str | None, run: str | None, progress: Progress
) -> Configurations:
    """What can be composed under a profile."""
    from parsenet_cli.config import profile as profiles
    from parsenet_cli.config.compose import Composer
    from parsenet_cli.engine.cost import Configurations

    if run is not None:
        raise UserError(f"figure {name} is of configurations, not of a run: it takes no --run {run}")
    return Configurations(Composer(profiles.load(profile or "quick"), overrides, store.cache), progress)


def _studies(
    store: Store, name: str, tables: Sequence[str], profile: str | None, progress: Progress
) -> Iterator[Study]:
    """The study that is taken of each table; `progress` is told what is passed over."""
    if not tables:
        raise UserError(f"figure {name}: expected a table, for example `parsenet figure {name} table4`")
    for sentence in study.skipped(store):  # one that is passed over may be of a table
        progress(sentence)
    for table in tables:
        one = choice.of_table(store, table, profile)
        for sentence in artifacts.damage_reports(store.run(signature) for signature in one.signatures):
            progress(sentence)
        yield one


def _kept(
    store: Store,
    name: str,
    key: str,
    about: dict[str, Any],
    options: dict[str, Any],
    measured: figure_store.Data,
    progress: Progress,
) -> figure_store.Data:
    """What was measured with what it was measured on and the command; rewritten only where it is another.

    In a store that may not be written it is not kept, and that is told.
    """
    # As it was typed, without the folders of this machine.
    typed = [word for word in sys.argv[1:] if not Path(word.rpartition("=")[2]).is_absolute()]
    about = {**about, "command": shlex.join(["parsenet", *typed])}
    data = {"figure": name, "about": about, "options": options, **measured}
    before = figure_store.load(store, name, key) or {}
    created = datetime.now(UTC).isoformat(timespec="seconds")
    if {**before, "about": about, "created": created} == {"created": created, **parse_json(json.dumps(data))}:
        return before
    data = {"created": created, **data}
    try:
        figure_store.save(store, name, key, data)
    except NotWritten as problem:
        progress(f"not kept: {problem}")
    return data


def _sorted_out(
    name: str, module: figures.FigureModule, arguments: Sequence[str]
) -> tuple[list[str], dict[str, Any], list[str]]:
    """Tables, the options that are not the defaults, overrides."""
    known, axes = figures.options(module), [] if figures.subject(module) == "study" else AXES
    tables = list(dict.fromkeys(text for text in arguments if "=" not in text))
    chosen: dict[str, Any] = {}
    overrides = []
    for text in (text for text in arguments if "=" in text):
        key, _, value = text.partition("=")
        if key in known:
            chosen[key] = _value(name, key, value, known[key])
        elif axes and key in {*axes, *RECIPE_KEYS, "recipe"}:
            overrides.append(text)
        else:
            raise unknown(f"option of figure {name}:", key, [*known, *axes], LISTED)
    return tables, {key: value for key, value in sorted(chosen.items()) if value != known[key]}, overrides


def _value(name: str, key: str, text: str, default: Any) -> Any:
    """Text for an option whose default is text, otherwise a whole number from 1 to `MOST`."""
    if isinstance(default, str):
        return text
    if not re.fullmatch("[0-9]{1,9}", text) or not 1 <= int(text) <= MOST:
        raise UserError(f"figure {name}: {key}={shown(text)}: expected a whole number from 1 to {MOST}")
    return int(text)
