"""`parsenet figure`: measure what a figure shows, keep it, draw it."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from parsenet_cli.config.overrides import AXES, RECIPE_KEYS
from parsenet_cli.core.errors import UserError, unknown
from parsenet_cli.core.text import Progress
from parsenet_cli.report import figures, plot
from parsenet_cli.store import artifacts, study
from parsenet_cli.store import figures as figure_store
from parsenet_cli.store.run import Store

DEFAULT_FORMS = ("png", "pdf")


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
    if figures.of_a_network(module):
        if tables:
            raise UserError(
                f"figure {name} is of a network, not of a table ({tables[0]}): name overrides, or a run with --run"
            )
        measured = [_of_network(store, name, module, options, overrides, profile, run, progress)]
    else:
        if overrides or run:
            raise UserError(
                f"figure {name} is of a table as it was run: it takes no {f'--run {run}' if run else overrides[0]}"
            )
        measured = list(_of_studies(store, name, module, options, tables, profile, progress))
    if out is not None and len(measured) > 1:
        raise UserError(
            f"--out {out}: expected one table, found {len(measured)}; without --out each gets a file of its own"
        )
    written: list[Path] = []
    for stem, data in measured:
        targets = [out] if out is not None else [store.figures / f"{stem}.{form}" for form in DEFAULT_FORMS]
        with plot.style():
            figure = figures.drawn(name, data)
            for target in targets:
                plot.save(figure, target)
        written += targets
    return written


def _of_network(
    store: Store,
    name: str,
    module: figures.FigureModule,
    options: dict[str, Any],
    overrides: Sequence[str],
    profile: str | None,
    signature: str | None,
    progress: Progress,
) -> tuple[str, figure_store.Data]:
    """The measurement, made now unless the same one is kept: what it is of does not change."""
    from parsenet_cli.config import profile as profiles
    from parsenet_cli.config.compose import Composer
    from parsenet_cli.engine import loaded

    if signature is not None:
        if overrides or profile:
            raise UserError(
                f"--run {signature} says which network: it takes no {overrides[0] if overrides else '--profile'}"
            )
        network = loaded.from_run(store.find(signature), store.cache, progress)
    else:
        composer = Composer(profiles.load(profile or "quick"), overrides, store.cache)
        config = composer.run_config(loaded.EVERY_LAYER)
        composer.save()
        artifacts.verify_weights_file(config.runtime.weights_file)
        network = loaded.from_config(config, store.cache, progress)
    options = {**figures.options(module), **options}  # all of them: another version's defaults are another measurement
    under = figure_store.measurement_key(_digest(network.about), options)
    data = figure_store.load(store, name, under)
    if data is None:
        about = {**network.about, "profile": None if signature else profile or "quick", "command": _command()}
        data = _kept(store, name, under, about, options, module.data(network, **options))
    else:
        progress(f"measured before: {figure_store.file_of(store, name, under)}")
    return name, data


def _of_studies(
    store: Store,
    name: str,
    module: figures.FigureModule,
    options: dict[str, Any],
    tables: Sequence[str],
    profile: str | None,
    progress: Progress,
) -> Iterator[tuple[str, figure_store.Data]]:
    default = getattr(module, "TABLE", None)
    tables = tables or ([default] if default else [])
    if not tables:
        raise UserError(f"figure {name}: expected a table, for example `parsenet figure {name} table4`")
    for sentence in study.skipped(store):  # one that is passed over may be the newest of a table
        progress(sentence)
    for table in tables:
        one = study.newest(store, table, profile)
        about = {
            "study": one.name,
            "table": one.table.name,
            "profile": one.profile,
            "seeds": len(one.seeds),
            "overrides": list(one.overrides),
            "command": _command(),
        }
        for sentence in artifacts.damage_reports(store.run(signature) for signature in one.signatures):
            progress(sentence)
        measured = module.data(one, store, **options)
        data = _kept(store, name, figure_store.measurement_key(one.name, options), about, options, measured)
        yield f"{name}-{one.table.name}", data


def _kept(
    store: Store, name: str, under: str, about: dict[str, Any], options: dict[str, Any], measured: figure_store.Data
) -> figure_store.Data:
    """What was measured with what it was measured on; rewritten only where it is another."""
    data = {"figure": name, "about": about, "options": options, **measured}
    before = figure_store.load(store, name, under) or {}
    same = {key: value for key, value in before.items() if key not in ("created", "about")}
    if same == {key: value for key, value in json.loads(json.dumps(data)).items() if key != "about"}:
        return before
    data = {"created": datetime.now(UTC).isoformat(timespec="seconds"), **data}
    figure_store.save(store, name, under, data)
    return data


def _sorted_out(
    name: str, module: figures.FigureModule, arguments: Sequence[str]
) -> tuple[list[str], dict[str, Any], list[str]]:
    """Tables, the options that are not the defaults, overrides."""
    known = figures.options(module)
    tables = list(dict.fromkeys(text for text in arguments if "=" not in text))
    chosen: dict[str, Any] = {}
    overrides = []
    for text in (text for text in arguments if "=" in text):
        key, _, value = text.partition("=")
        if key in known:
            chosen[key] = _value(name, key, value, known[key])
        elif not figures.of_a_network(module) or key not in {*AXES, *RECIPE_KEYS, "recipe"}:
            axes = AXES if figures.of_a_network(module) else []
            raise unknown(f"option of figure {name}:", key, [*known, *axes])
        else:
            overrides.append(text)
    return tables, {key: value for key, value in sorted(chosen.items()) if value != known[key]}, overrides


def _value(name: str, key: str, text: str, default: Any) -> Any:
    """Text for an option whose default is text, otherwise a whole number from 1."""
    if isinstance(default, str):
        return text
    if not text.isdecimal() or int(text) < 1:
        raise UserError(f"figure {name}: {key}={text}: expected a whole number from 1")
    return int(text)


def _digest(about: dict[str, Any]) -> str:
    import hashlib

    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:12]


def _command() -> str:
    """As it was typed, without the folders of this machine."""
    words = [word for word in sys.argv[1:] if not Path(word.rpartition("=")[2]).is_absolute()]
    return shlex.join(["parsenet", *words])
