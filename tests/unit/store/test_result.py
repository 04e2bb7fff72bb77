"""What a run says of itself comes back as it was written, also where an earlier version wrote it."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsenet_cli.config import deviations
from parsenet_cli.core import sealed
from parsenet_cli.core.run_config import RunConfig
from parsenet_cli.store.result import JobRecord, PrerequisiteStatus, RunEnvironment, RunResult, RunStatus
from parsenet_cli.store.run import Run

EARLIER: dict[str, Any] = {
    "outcome": "collapsed",
    "collapsed_at": 120,
    "predicted_classes": ["background"],
    "metrics": {"mean_iu": 0.0034, "fw_iu": None},
    "iu": {"background": 0.7, "cat": None},
    "class_mean": "all",
    "classes": ["background", "cat"],
    "train_seconds": 5.0,
    "evaluate_seconds": 1.5,
    "left_out_since": {"why": [1, 2]},
}
"""A result of before networks, protocols, conventions and checksums were recorded, with a key that no version knows now."""

COUNTS = st.integers(0, 2**63 - 1)
FRACTIONS = st.floats(0, 1)
JOBS = st.from_regex(r"[0-9]{1,18}(_[0-9]{1,18})?", fullmatch=True)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "str": st.text(),
    "Signature": st.from_regex("[0-9a-f]{12}", fullmatch=True),
    "JobId | None": st.none() | JOBS,
    "str | None": st.none() | st.text(),
    "bool": st.booleans(),
    "Count": COUNTS,
    "Count | None": st.none() | COUNTS,
    "Positive | None": st.none() | st.integers(1, 2**63 - 1),
    "Processes | None": st.none() | st.integers(1, 4096),
    "CodeId": st.sampled_from(["", "0123456789ab", "0123456789ab+ba9876543210"]),
    "Sequence[ModuleName]": st.lists(st.sampled_from(["data/sets/voc12", "models/trunks/vgg16", "engine/pretrain"])),
    "Seconds": st.floats(0, 1e12),
    "Seconds | None": st.none() | st.floats(0, 1e12),
    "Outcome": st.sampled_from(["converged", "collapsed"]),
    "ClassMean": st.sampled_from(["present", "all"]),
    "Sequence[str]": st.lists(st.text()),
    "Sequence[JobId]": st.lists(JOBS),
    "Sequence[Mapping[str, Any]]": st.lists(
        st.fixed_dictionaries(
            {
                "question": st.text(),
                "mark": st.text(),
                "arises": st.booleans(),
                "settings": st.just({"norm": "l2"}),
                "expected": st.just({"norm": "l2"}),
            },
            optional={"default": st.booleans()},
        )
    ),
    "Mapping[str, Any]": st.dictionaries(st.text(), st.integers() | st.text() | st.none()),
    "Mapping[str, str]": st.dictionaries(st.text(), st.text()),
    "Mapping[FileName, Crc32]": st.dictionaries(
        st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True), st.from_regex("[0-9a-f]{8}", fullmatch=True)
    ),
    "Mapping[str, Fraction | None]": st.dictionaries(st.text(), st.none() | FRACTIONS),
}
"""JSON values of a field, by its annotation."""

Record = RunResult | RunStatus | RunEnvironment | PrerequisiteStatus | JobRecord
RECORDS: tuple[type[Record], ...] = (RunResult, RunStatus, RunEnvironment, PrerequisiteStatus, JobRecord)
REQUIRED = ("signature", "outcome")
"""Keys of a result that were always written."""


def as_stored(record: Record) -> Any:
    """What a file holds of it."""
    return json.loads(json.dumps(record.as_json()))


def test_result_of_an_earlier_version_is_read(run: Run) -> None:
    content = {"signature": run.signature, **EARLIER}
    sealed.write_json(run.result_file, content)
    result = run.done_result()
    assert result.content == content
    assert (result.outcome, result.metrics, result.class_mean) == ("collapsed", EARLIER["metrics"], "all")
    assert (result.seconds, result.score_text) == (6.5, "0.3 collapsed @ 120")
    assert (result.parameters, result.settings, result.convention, result.files) == (None, [], "", {})
    assert (run.state(), run.has_damaged_result) == ("done", False)


def test_result_without_what_was_always_written_is_none(run: Run) -> None:
    for content in ({"signature": run.signature}, {"signature": "0123456789ab", "outcome": "converged"}):
        sealed.write_json(run.result_file, content)
        assert (run.result(), run.has_damaged_result) == (None, True)
    with pytest.raises(LookupError, match="not done"):
        run.done_result()


def test_status_and_environment_of_an_earlier_version_are_read(run: Run) -> None:
    sealed.write_json(run.folder / "status.json", {"state": "running", "iteration": 40, "steps": 100, "gone": 1})
    sealed.write_json(run.environment_file, {"commit": "c0ffee", "device": "a processor", "gone": 1})
    status, environment = run.status(), run.environment()
    assert (status.state, status.reached, status.pid, status.failures, status.beat) == ("running", "40/100", None, 0, 0)
    assert (environment.commit, environment.versions, environment.data_id) == ("c0ffee", {}, "")
    assert status.content["gone"] == environment.content["gone"] == 1
    assert not run.has_damaged_environment


def test_run_that_has_said_nothing_has_the_defaults(run: Run) -> None:
    assert (run.status(), run.environment()) == (RunStatus(), RunEnvironment())
    assert run.status().reached == "0/?"
    assert run.prerequisite("data") == PrerequisiteStatus()


def test_result_that_is_read_and_written_again_is_the_same_but_for_its_files(run: Run, config: RunConfig) -> None:
    settings = deviations.settings_of(config.science)
    sealed.write_json(run.result_file, {"signature": run.signature, **EARLIER, "files": {"gone.npz": "01234567"}})
    first = run.done_result()
    run.record_result(first, run.config_file)
    again = run.done_result()
    assert as_stored(again) == {**as_stored(first), "files": {"config.yaml": sealed.crc32_of(run.config_file)}}
    assert "left_out_since" not in again.content
    run.record_result(RunResult(run.signature, "converged", protocol=[setting.as_json() for setting in settings]))
    assert run.done_result().settings == settings


DEVICES = st.fixed_dictionaries(
    {"iteration": st.integers(0, 2**63 - 1), "device": st.text(max_size=9), "arithmetic": st.text(max_size=9)}
)


@pytest.mark.parametrize("entry", [{"iteration": -1}, {"iteration": True}, {"device": 3}, {"arithmetic": None}])
def test_result_whose_devices_are_none_is_not_believed(entry: dict[str, Any]) -> None:
    device = {"iteration": 0, "device": "a card", "arithmetic": "tf32"}
    content = {"signature": "0123456789ab", "outcome": "converged"}
    assert RunResult.from_json({**content, "devices": [device, device]}).device_names == ["a card"]
    with pytest.raises(ValueError, match="devices: expected iteration, device and arithmetic of each"):
        RunResult.from_json({**content, "devices": [device | entry]})


@given(st.data())
def test_any_known_keys_of_the_right_type_come_back(data: st.DataObject) -> None:
    record = data.draw(st.sampled_from(RECORDS))
    known = {field.name: VALUES[str(field.type)] for field in fields(record) if field.name != "content"}
    if "devices" in known:
        known["devices"] = st.lists(DEVICES, max_size=3)
    required = {name: known.pop(name) for name in REQUIRED if name in known}
    content = data.draw(st.fixed_dictionaries(required, optional=known))
    read = record.from_json({**content, "of another version": 1})
    assert {key: value for key, value in as_stored(read).items() if key in content} == content
    assert as_stored(record.from_json(as_stored(read))) == as_stored(read)
    assert read.content == {**content, "of another version": 1}
