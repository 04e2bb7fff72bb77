"""What a run says of itself, typed: its result, its status, its environment. Files of earlier versions are read as well.

Keys that a file lacks have their defaults here, keys that are unknown stay in `content`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Self

from parsenet_cli.config.deviations import Setting
from parsenet_cli.config.deviations import from_json as settings_from_json
from parsenet_cli.core.metrics import ClassMean

RunState = Literal["new", "queued", "running", "done", "failed", "lost"]
"""new: never planned. lost: it stopped without saying so."""

Outcome = Literal["converged", "collapsed"]


@dataclass(frozen=True)
class _FromJson:
    """What a JSON file of a run holds.

    Attributes:
        content: As the file has it.
    """

    content: Mapping[str, Any] = field(default_factory=dict, repr=False, kw_only=True)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Raises `TypeError` where a key is missing that was always written."""
        known = {field.name for field in fields(cls)} - {"content"}
        return cls(**{key: value for key, value in content.items() if key in known}, content=content)

    def as_json(self) -> dict[str, Any]:
        """What is written: every field by its name."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "content"}


@dataclass(frozen=True)
class RunResult(_FromJson):
    """`result.json`: numbers are fractions, None where they are not defined.

    Attributes:
        collapsed_at: The first iteration whose loss was not finite, or the last one where one class is predicted
            everywhere.
        convention: Over which classes and pixels scores are taken, in words.
        network: models/describe.py; empty in results of before it was recorded.
        code: The identity of the code that made it (core/code.py); empty where that is not known. Where a training went on
            under other code than it began with, both, joined by `+`.
        modules: The run's own modules, which with the shared ones are that code.
        files: The CRC-32 of each file that belongs to the result, by name.
    """

    signature: str
    outcome: Outcome
    collapsed_at: int | None = None
    predicted_classes: Sequence[str] = ()
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    iu: Mapping[str, float | None] = field(default_factory=dict)
    class_mean: ClassMean = "present"
    convention: str = ""
    classes: Sequence[str] = ()
    ignore: int | None = None
    train_images: int | None = None
    val_images: int | None = None
    steps: int = 0
    train_seconds: float = 0.0
    evaluate_seconds: float = 0.0
    threads: int | None = None
    micro_batch: int | None = None
    ran_out_of_memory: bool = False
    peak_memory_mb: int | None = None
    gpu_mb: int | None = None
    network: Mapping[str, Any] = field(default_factory=dict)
    protocol: Sequence[Mapping[str, Any]] = ()
    deviations: Sequence[str] = ()
    code: str = ""
    modules: Sequence[str] = ()
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Of training and evaluation."""
        return self.train_seconds + self.evaluate_seconds

    @property
    def seconds_per_step(self) -> float:
        return self.seconds / max(1, self.steps)

    @property
    def parameters(self) -> int | None:
        """Of the network; None where that was not recorded yet."""
        return self.network.get("parameters")

    @property
    def settings(self) -> list[Setting]:
        """The switches of the protocol as the run had them."""
        return settings_from_json(self.protocol)

    @property
    def score_text(self) -> str:
        """`57.1`, or `0.3 collapsed @ 120`: the mean IU in percent and how the run ended."""
        mean_iu = self.metrics.get("mean_iu")
        text = "no score" if mean_iu is None else f"{100 * mean_iu:.1f}"
        return text if self.outcome == "converged" else f"{text} collapsed @ {self.collapsed_at}"


@dataclass(frozen=True)
class RunStatus(_FromJson):
    """`status.json`: what a worker last said.

    Attributes:
        process: Identity of the process (runner/process.py).
        beat: How often it has been written: a count that stands still is a worker that does nothing.
    """

    state: str = ""
    iteration: int | None = None
    steps: int | None = None
    seconds_left: float | None = None
    preparing: str = ""
    evaluating: str = ""
    error: str = ""
    bad_input: bool = False
    out_of_memory: bool = False
    failures: int = 0
    threads: int | None = None
    started: float = 0.0
    pid: int | None = None
    host: str = "an unknown host"
    process: str = ""
    job: str | None = None
    beat: int = 0

    @property
    def reached(self) -> str:
        """`40/100`: how far it was when it stopped, or was last seen."""
        return f"{self.iteration or 0}/{'?' if self.steps is None else self.steps}"


@dataclass(frozen=True)
class PrerequisiteStatus(_FromJson):
    """`preparing-<what>.json`: what the process last said that prepares something for this run and others."""

    text: str = ""
    error: str | None = None
    bad_input: bool = False
    beat: int | None = None


@dataclass(frozen=True)
class RunEnvironment(_FromJson):
    """`env.json`: what a run was carried out with.

    Attributes:
        uncommitted: The names of the files that differ from the commit.
        patch: The file that gives the code back when it is applied to the commit; or why there is none, in words.
    """

    commit: str = ""
    uncommitted: str = ""
    patch: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    device: str = ""
    data_id: str = ""
