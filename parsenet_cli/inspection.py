"""`status`, `show` and `diff`: what the results folder says, without running anything."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from parsenet_cli import belonging, deviations, study
from parsenet_cli.deviations import InForce, as_text
from parsenet_cli.progress import labels, outcome_text, running_text
from parsenet_cli.store import Run, State, Store

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class Line:
    """How one run stands: its state, and its score, progress or error."""

    signature: str
    state: State
    says: str
    job: str | None = None
    """The cluster's job that carries it out, or that it was last submitted as and that may still wait."""
    host: str | None = None
    """Where it runs."""

    def text(self, served: Mapping[str, str]) -> str:
        """The line that is printed; `served` says what a run is for."""
        return f"{self.signature}  {self.state:8}  {served.get(self.signature, ''):60}  {self.says}"


def survey(store: Store) -> list[Line]:
    """How every run of the store stands, by signature."""
    return [_line(run) for run in store.runs()]


def _line(run: Run) -> Line:
    result = run.result()
    if result is not None:  # read once: it is most of what two thousand lines cost
        return Line(run.signature, "done", f"mean IU {outcome_text(result)}")
    state = run.state()
    job, host = _where(run, state)
    return Line(run.signature, state, _says(run, state), job, host)


def counts(lines: Sequence[Line]) -> str:
    """`3 running, 14 done`."""
    count: dict[str, int] = {}
    for line in lines:
        count[line.state] = count.get(line.state, 0) + 1
    return ", ".join(f"{number} {state}" for state, number in count.items()) or "no runs"


def status(store: Store, console: Console, as_json: bool) -> None:
    """One line per run with its state, and how many there are of each."""
    lines = survey(store)
    if as_json:
        console.print_json(json.dumps([asdict(line) for line in lines]))
        return
    served = labels(study.load_all(store))
    for line in lines:
        console.print(line.text(served), markup=False)
    console.print(counts(lines) if lines else f"no runs in {store.root}")


def show(store: Store, prefix: str, console: Console, as_json: bool) -> None:
    """Everything the store holds of one run, and every switch of the protocol as it has it."""
    run = store.find(prefix)
    config = run.config()
    served = _served(store, run)
    switches = deviations.in_force(config.science)
    content: dict[str, Any] = {
        "signature": run.signature,
        "state": (state := run.state()),
        "job": _where(run, state)[0],
        "serves": list(served),
        "protocol": [switch.as_json() for switch in switches],
        "science": config.science.model_dump(mode="json"),
        "runtime": config.runtime.model_dump(mode="json"),
        "status": run.status(),
        "result": run.result(),
        "environment": run.environment() or None,
    }
    if as_json:
        console.print_json(json.dumps(content))
        return
    from omegaconf import OmegaConf

    console.print(f"[bold]{run.signature}[/]  {state}  {_says(run, state)}")
    for place in content["serves"]:
        console.print(f"  {place}", markup=False)
    console.print("\n[bold]protocol[/]")
    for line in _protocol(switches, served):
        console.print(line, markup=False, soft_wrap=True)
    if content["result"]:
        content["result"] = {key: value for key, value in content["result"].items() if key != "protocol"}
    for part in ("science", "runtime", "result", "environment"):
        if content[part]:
            console.print(f"\n[bold]{part}[/]")
            console.print(OmegaConf.to_yaml(content[part]).rstrip(), markup=False)
    for sentence in belonging.sentences([run]):
        console.print(f"\n{sentence}", markup=False, soft_wrap=True)
    if content["state"] == "failed":
        console.print("\n[bold]log[/]")
        console.print("\n".join(run.log_tail()), markup=False)


def diff(store: Store, first: str, second: str, console: Console) -> None:
    """The keys in which two runs' science differs, and both results."""
    runs = [store.find(first), store.find(second)]
    flat = [_flat(run.config().science.model_dump(mode="json")) for run in runs]
    for key in dict.fromkeys([*flat[0], *flat[1]]):
        ours, theirs = (each.get(key) for each in flat)
        if ours != theirs:
            console.print(f"{key}: {ours} -> {theirs}", markup=False)
    if flat[0] == flat[1]:
        console.print("the same run")
    for run in runs:
        state = run.state()
        console.print(f"{run.signature}  {state:8}  {_says(run, state)}", markup=False)


def _where(run: Run, state: State) -> tuple[str | None, str | None]:
    """Job and host of a run that runs, the job of one that may wait in a queue: as the folder says, nobody is asked."""
    if state == "running":
        status = run.status()
        return status.get("job"), status.get("host")
    return (run.job() if state == "queued" and not run.cancelled else None), None


def _says(run: Run, state: State) -> str:
    job, host = _where(run, state)
    match state:
        case "done":
            return f"mean IU {outcome_text(run.result() or {})}"
        case "running":
            return f"job {job} on {host}: {running_text(run)}" if job else running_text(run)
        case "failed":
            return str(run.status().get("error", ""))
        case "queued":
            return _queued(run, job)
        case "lost":
            return f"last seen at {_reached(run)}"
        case _:
            return ""


def _queued(run: Run, job: str | None) -> str:
    """What a run waits for and where it goes on from, as far as the folder knows: a job that its worker has left may be
    waiting again, or gone."""
    status = run.status()
    if run.cancelled:
        return f"cancelled at {_reached(run)}" if status.get("iteration") else "cancelled"
    if job and job == status.get("job"):
        return f"job {job} stopped at {_reached(run)}"
    waits = f"job {job}" if job else ""
    if not status.get("iteration"):
        return waits
    if not waits:
        return f"stopped at {_reached(run)}"
    return f"{waits}, {'goes on from its checkpoint' if run.has_checkpoint else 'starts afresh'}, had reached {_reached(run)}"


def _reached(run: Run) -> str:
    """`40/100`: how far it was when it stopped, or was last seen."""
    status = run.status()
    return f"{status.get('iteration', 0)}/{status.get('steps', '?')}"


def _served(store: Store, run: Run) -> dict[str, dict[str, Any]]:
    """The cells that the run serves, in words, and what each of them sets."""
    served: dict[str, dict[str, Any]] = {}
    for one in study.load_all(store):
        overrides = {(cell.row.key, cell.column.key): cell.overrides for cell in one.table.cells(cited=True)}
        for cell in one.cells:
            if cell.signature == run.signature:
                place = f"{one.table.name} ({one.profile}): row {cell.row}, column {cell.column}, seed {cell.seed}"
                served[place] = deviations.said_by(overrides.get((cell.row, cell.column), ()))
    return served


def _protocol(switches: Sequence[InForce], served: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """One line per switch that arises: question, mark, value, and whether it is the default or who sets it otherwise."""
    arising = [switch for switch in switches if switch.arises]
    width = max(len(switch.question) for switch in arising)
    for switch in arising:
        status = "default"
        if switch.deviating:
            status = "deviates from " + " ".join(f"{key}={as_text(switch.expected[key])}" for key in switch.deviating)
            setters = [
                place.partition(",")[0].replace(": row ", " ")
                for place, said in served.items()
                if all(key in said and said[key] == switch.settings[key] for key in switch.deviating)
            ]
            status += f", as {setters[0]} says" if setters else ""
        value = " ".join(f"{key}={as_text(setting)}" for key, setting in switch.settings.items())
        yield f"{switch.question:{width}}  {switch.mark:8}  {value}: {status}"


def _flat(content: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in content.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat
