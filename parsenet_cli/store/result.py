"""What a run says of itself, typed: its result, its status, its environment. Files of earlier versions are read as well.

Keys that a file lacks have their defaults here, keys that are unknown stay in `content`. Values are of their type and in their
range, or the file is not believed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Self

from parsenet_cli.config.deviations import Setting
from parsenet_cli.config.deviations import from_json as settings_from_json
from parsenet_cli.core.bounds import (
    CodeId,
    Count,
    Crc32,
    FileName,
    Fraction,
    JobId,
    ModuleName,
    Positive,
    Processes,
    Seconds,
    Signature,
    build,
)
from parsenet_cli.core.metric_names import ClassMean

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
        """Raises `ValueError` for a value that cannot be, and where a key is missing that was always written."""
        record = build(cls, content)
        record._check()
        object.__setattr__(record, "content", content)
        return record

    def _check(self) -> None:
        """Raises `ValueError` for what the types of the fields do not say."""

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
        gpu_mb: The most memory it has taken on a GPU, as others miss it; None where it was trained on a CPU.
        devices: On what it was trained: from which `iteration` on, the `device`'s name, the `arithmetic`; empty in results of
            before it was recorded.
        network: models/describe.py; empty in results of before it was recorded.
        code: The identity of the code that made it (core/code.py); empty where that is not known. Where a training went on
            under other code than it began with, both, joined by `+`.
        modules: The run's own modules, which with the shared ones are that code.
        files: The CRC-32 of each file that belongs to the result, by name.
    """

    signature: Signature
    outcome: Outcome
    collapsed_at: Count | None = None
    predicted_classes: Sequence[str] = ()
    metrics: Mapping[str, Fraction | None] = field(default_factory=dict)
    iu: Mapping[str, Fraction | None] = field(default_factory=dict)
    class_mean: ClassMean = "present"
    convention: str = ""
    classes: Sequence[str] = ()
    ignore: Count | None = None
    train_images: Count | None = None
    val_images: Count | None = None
    steps: Count = 0
    train_seconds: Seconds = 0.0
    evaluate_seconds: Seconds = 0.0
    threads: Processes | None = None
    micro_batch: Positive | None = None
    ran_out_of_memory: bool = False
    peak_memory_mb: Count | None = None
    gpu_mb: Count | None = None
    devices: Sequence[Mapping[str, Any]] = ()
    network: Mapping[str, Any] = field(default_factory=dict)
    protocol: Sequence[Mapping[str, Any]] = ()
    deviations: Sequence[str] = ()
    code: CodeId = ""
    modules: Sequence[ModuleName] = ()
    files: Mapping[FileName, Crc32] = field(default_factory=dict)

    def _check(self) -> None:
        parameters = self.parameters
        if parameters is not None and (type(parameters) is not int or not 0 < parameters < 2**63):
            raise ValueError("network.parameters: expected a whole number from 1")
        if not all(map(_is_setting, self.protocol)):
            raise ValueError("protocol: expected question, mark, arises, settings and what is expected of each")
        if not all(map(is_device, self.devices)):
            raise ValueError("devices: expected iteration, device and arithmetic of each")

    @property
    def seconds(self) -> float:
        """Of training and evaluation."""
        return self.train_seconds + self.evaluate_seconds

    @property
    def seconds_per_step(self) -> float:
        """Of training."""
        return self.train_seconds / max(1, self.steps)

    @property
    def device_names(self) -> list[str]:
        """On what it was trained, each once, in order."""
        return list(dict.fromkeys(entry["device"] for entry in self.devices))

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
        gpu_mb: The most memory that it has taken on its GPU so far, as others miss it; None on a CPU and before its first steps.
        process: Identity of the process (runner/process.py).
        beat: How often it has been written: a count that stands still is a worker that does nothing.
    """

    state: str = ""
    iteration: Count | None = None
    steps: Count | None = None
    seconds_left: Seconds | None = None
    preparing: str = ""
    evaluating: str = ""
    error: str = ""
    bad_input: bool = False
    out_of_memory: bool = False
    failures: Count = 0
    threads: Processes | None = None
    gpu_mb: Count | None = None
    started: Seconds = 0.0
    pid: Positive | None = None
    host: str = "an unknown host"
    process: str = ""
    job: JobId | None = None
    beat: Count = 0

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
    beat: Count | None = None


@dataclass(frozen=True)
class JobRecord(_FromJson):
    """`job.json`: where a cluster's queue has a run.

    Attributes:
        job: The id of the run's last job.
        after: Those that make what the run needs, and that its job was submitted to wait for.
    """

    job: JobId | None = None
    after: Sequence[JobId] = ()


@dataclass(frozen=True)
class RunEnvironment(_FromJson):
    """`env.json`: what a run was carried out with.

    Attributes:
        uncommitted: The names of the files that differ from the commit.
        patch: The file that gives the code back when it is applied to the commit; or why there is none, in words.
        device: The last that it was carried out on.
        arithmetic: PyTorch's flags by their names, and variables of the environment (engine/arithmetic.py).
    """

    commit: str = ""
    uncommitted: str = ""
    patch: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    device: str = ""
    data_id: str = ""
    arithmetic: Mapping[str, str] = field(default_factory=dict)


def is_device(entry: Mapping[str, Any]) -> bool:
    """Whether it is a device that steps were made on, and since when."""
    iteration, others = entry.get("iteration"), (entry.get("device"), entry.get("arithmetic"))
    return type(iteration) is int and 0 <= iteration < 2**63 and all(isinstance(text, str) for text in others)


def _is_setting(line: Mapping[str, Any]) -> bool:
    own, expected = line.get("settings"), line.get("expected")
    return (
        isinstance(own, dict)
        and isinstance(expected, dict)
        and own.keys() <= expected.keys()
        and isinstance(line.get("question"), str)
        and isinstance(line.get("mark"), str)
        and isinstance(line.get("arises"), bool)
    )
