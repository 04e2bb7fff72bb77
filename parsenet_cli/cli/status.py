"""`status`: how runs stand, once or until nothing runs any more."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from parsenet_cli.cli.completion import complete_state, complete_table
from parsenet_cli.cli.options import DEFAULT_RESULTS, AnyProfile, AsJson, Results, print_grid, say
from parsenet_cli.core.errors import UserError, unknown
from parsenet_cli.core.files import read_bytes

if TYPE_CHECKING:
    from rich.console import Console

    from parsenet_cli.report.blocks import Grid
    from parsenet_cli.runner.state import RunSummary
    from parsenet_cli.store.run import Run, Store
    from parsenet_cli.store.study import Study

REFRESH_SECONDS = 2.0
QUEUE_SECONDS = 10.0
"""How often the queue is asked."""

IDLE_LOOKS = 2
"""Looks without a running run after which --watch ends: between one run and the next there may be a moment without any."""

FIRST = ("running", "failed", "lost", "queued", "new", "done")
"""What --watch shows where not everything fits."""


@dataclass(frozen=True)
class Wanted:
    """Which runs are looked at: all, or those of some tables, of a profile, in some states."""

    tables: tuple[str, ...] = ()
    profile: str | None = None
    states: tuple[str, ...] = ()

    def studies(self, store: Store) -> list[Study]:
        """Those that say what the runs are for. Raises `UserError` for a table or profile that none has."""
        from parsenet_cli.store import study

        return study.selected(study.load_all(store), self.tables, self.profile)

    def runs(self, runs: Sequence[Run], places: Mapping[str, object]) -> list[Run]:
        """These of the runs, in the order of their places; what serves none comes last, and only where all are wanted."""
        order = {signature: number for number, signature in enumerate(places)}
        some = bool(self.tables) or self.profile is not None
        chosen = [run for run in runs if run.signature in order or not some]
        return sorted(chosen, key=lambda run: order.get(run.signature, len(order)))

    def lines(self, lines: Sequence[RunSummary]) -> list[RunSummary]:
        """Those in the states that are wanted."""
        return [line for line in lines if not self.states or line.state in self.states]


def status(
    tables: Annotated[
        list[str] | None,
        typer.Argument(help="Only runs of these tables; all if not given.", autocompletion=complete_table),
    ] = None,
    state: Annotated[
        list[str] | None,
        typer.Option("--state", help="Only runs in this state, or these: failed,lost.", autocompletion=complete_state),
    ] = None,
    profile: AnyProfile = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Again and again, until nothing runs or waits in a queue; Ctrl-C leaves.")
    ] = False,
    results: Results = DEFAULT_RESULTS,
    as_json: AsJson = False,
) -> None:
    """Show how every run of the results folder stands, by table and row."""
    from parsenet_cli.runner.state import summaries
    from parsenet_cli.store import study
    from parsenet_cli.store.run import Store, passed_over

    store = Store(results)
    wanted = Wanted(tuple(tables or ()), profile, _states(state or []))
    if watch and as_json:
        raise UserError("--watch and --json: choose one; `parsenet status --json` says how the runs stand now")
    if watch:
        watch_runs(store, wanted)
        return
    runs, left_out = store.runs_and_left_out()
    studies = wanted.studies(store)
    places = study.places(studies)
    lines, notes = wanted.lines(summaries(store, runs=wanted.runs(runs, places))), passed_over(left_out)
    if as_json:
        serves = {signature: [vars(place) for place in found] for signature, found in places.items()}
        say(json.dumps([{**vars(line), "serves": serves.get(line.signature, [])} for line in lines], indent=2))
    elif lines:
        print_grid(status_grid(lines, studies, notes))
    else:
        say("\n".join([f"no runs{' like that' if wanted != Wanted() else ''} in {store.root}", *notes]))


def _states(texts: Sequence[str]) -> tuple[str, ...]:
    """The states that are named, one by one or with commas. Raises `UserError` for one that there is not."""
    from parsenet_cli.store.result import RunState

    states = [each for text in texts for each in text.split(",")]
    for each in states:
        if each not in get_args(RunState):
            raise unknown("state", each, get_args(RunState))
    return tuple(states)


def status_grid(
    lines: Sequence[RunSummary], studies: Sequence[Study], notes: Sequence[str], room: int | None = None
) -> Grid:
    """One row per run with its state and what it is for; of more than `room` runs, the others are only counted."""
    from parsenet_cli.report.blocks import Cell, words
    from parsenet_cli.runner.state import counts
    from parsenet_cli.store import study

    shown = lines[:room]
    ordered = study.in_reading_order(studies)
    labels = study.labels(ordered, brief=True)
    if len({each.profile for each in studies}) > 1:
        profiles = {signature: each.profile for each in reversed(ordered) for signature in each.signatures}
        labels = {signature: f"{profiles[signature]} {label}" for signature, label in labels.items()}
    rows = [
        (Cell(line.signature, code=True), Cell(line.state, tone=line.state), labels.get(line.signature, ""), line.says)
        for line in shown
    ]
    more = len(lines) - len(shown)
    below = [*([f"… and {more} more"] if more else []), counts(lines), *notes]
    return words(("run", "state", "for", "how it stands"), rows, notes=below)


def watch_runs(store: Store, wanted: Wanted = Wanted()) -> None:
    """Refresh until nothing runs and no job waits in a queue; Ctrl-C leaves at once and stops no run.

    In a terminal the table is drawn anew; elsewhere a line is printed whenever a run has changed its state.
    """
    from rich.live import Live

    from parsenet_cli.report.formats import terminal
    from parsenet_cli.runner import launch
    from parsenet_cli.runner.state import counts, in_no_queue, queue_of, summaries
    from parsenet_cli.store import study
    from parsenet_cli.store.run import passed_over

    idle, printed, before = 0, "", [b""]
    queue, asked, screen = launch.queue(store.root), float("-inf"), terminal.console()
    try:
        with Live(console=screen, auto_refresh=False) as live:
            while idle < IDLE_LOOKS:
                if idle or time.monotonic() - asked > QUEUE_SECONDS:
                    queued, asked = queue_of(store.runs(), queue), time.monotonic()
                runs, left_out = store.runs_and_left_out()
                studies = wanted.studies(store)
                chosen = wanted.runs(runs, study.places(studies))
                lines = summaries(store, in_no_queue if queue is None else queued, chosen)
                preparing = _preparing(store)
                waiting = any(line.state == "queued" and queued(store.run(line.signature)) for line in lines)
                running = waiting or any(line.state == "running" for line in lines)
                idle = 0 if running or (preparing and preparing != before) else idle + 1
                before, lines = preparing, wanted.lines(lines)
                if screen.is_terminal:
                    shown = _fitting(lines, studies, passed_over(left_out), screen)
                    live.update(terminal.renderable(shown), refresh=True)
                elif printed != (printed := counts(lines)):
                    screen.print(terminal.line(printed))
                if idle < IDLE_LOOKS:
                    time.sleep(REFRESH_SECONDS)
    except KeyboardInterrupt:
        return


def _fitting(lines: Sequence[RunSummary], studies: Sequence[Study], notes: Sequence[str], screen: Console) -> Grid:
    """The runs that somebody looks for first, as many as fit, and the counts of all."""
    from parsenet_cli.report.formats import terminal

    ordered = sorted(lines, key=lambda line: FIRST.index(line.state))
    first = status_grid(ordered, studies, notes, screen.height)
    return status_grid(ordered, studies, notes, terminal.rows_that_fit(first, screen))


def _preparing(store: Store) -> list[bytes]:
    """What is said of data and weights that are being prepared for runs, all of which still wait: it changes while they are."""
    texts = []
    for file in store.prerequisite_files():
        with contextlib.suppress(OSError):
            texts.append(read_bytes(file))
    return texts
