"""A results folder that somebody else wrote: whatever its files hold, commands that look at it end with a sentence and write
nothing outside."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from parsenet_cli.cli.app import app
from parsenet_cli.core import npz, sealed
from parsenet_cli.core.errors import UserError
from parsenet_cli.runner import launch
from parsenet_cli.store import artifacts, choice, study
from parsenet_cli.store import figures as figure_store
from parsenet_cli.store.run import Run, Store
from tests.made_store import CLASSES, IDS, add_images, add_table

COMMANDS = (
    "status",
    "status table4 --state done --profile quick",
    "list studies",
    "show RUN",
    "show RUN --all",
    "diff RUN OTHER",
    "table table4",
    "verify table4",
    "report",
    "export --to csv",
    "export --to tensorboard",
    "figure curves table4",
    "figure context table4",
    "clean",
)
CODES = (0, 2, 3)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole store of one table: three seeds, and the images behind it."""
    store = Store(tmp_path_factory.mktemp("made") / "results")
    add_table(store, "table4", seeds=(0, 1, 2))
    for data_id in {run.config().science.data_id for run in store.runs()}:
        add_images(store, data_id)
    return store.root


@pytest.fixture
def hostile(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A copy of it to spoil, and nothing beside it afterwards that was not there."""
    shutil.copytree(made, tmp_path / "in/results")
    (tmp_path / "in/mine").write_text("precious")
    monkeypatch.chdir(tmp_path / "in")
    monkeypatch.setattr(launch, "queue", lambda _: None)
    yield Store(tmp_path / "in/results")
    assert sorted(path.name for path in (tmp_path / "in").iterdir()) == ["mine", "results"]
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def carry_out(store: Store, *commands: str) -> str:
    """What these commands print; each ends with a sentence of its own and no other exception."""
    first, second = study.load_all(store)[0].signatures[:2] if study.load_all(store) else ("a", "b")
    texts = []
    for text in commands:
        words = text.replace("RUN", first).replace("OTHER", second).split()
        done = CliRunner().invoke(app, [*words, "--results", str(store.root)])
        refused = isinstance(done.exception, UserError | OSError) and str(done.exception)
        if not refused and done.exit_code not in CODES:
            raise AssertionError(f"{text}: {done.exception!r}\n{done.output}") from done.exception
        texts.append(f"{done.output}\n{refused or ''}")
    return "\n".join(texts)


def one_run(store: Store) -> Run:
    return store.run(choice.of_table(store, "table4").signatures[0])


def deep(levels: int) -> Any:
    content: Any = 1
    for _ in range(levels):
        content = [content]
    return content


RESULTS: dict[str, Mapping[str, Any]] = {
    "deep": {"metrics": deep(60)},
    "metrics are null": {"metrics": None},
    "score is text": {"metrics": {"mean_iu": "<b>99</b>"}},
    "score is huge": {"metrics": {"mean_iu": 1e300}},
    "score is not finite": {"metrics": {"mean_iu": 10**400}},
    "iu is a list": {"iu": [1, 2]},
    "seconds are text": {"train_seconds": "x"},
    "seconds are negative": {"train_seconds": -1},
    "classes are a number": {"classes": 5},
    "protocol is a number": {"protocol": 5},
    "protocol says nothing": {"protocol": [{}]},
    "protocol has no data": {"protocol": [
        {"question": "q", "mark": "ours", "arises": True, "settings": {"weights": [1]}, "expected": {"weights": {}}}
    ]},
    "parameters are text": {"network": {"parameters": "many"}},
    "files lie outside": {"files": {"../../../mine": "00000000"}},
    "outcome is a list": {"outcome": []},
    "micro_batch is negative": {"micro_batch": -1},
    "no threads": {"threads": 0},
    "half a character": {"convention": "\ud800"},
}  # fmt: skip


def test_results_of_another_shape_are_not_believed(hostile: Store) -> None:
    for run, (name, shape) in zip(hostile.runs(), RESULTS.items(), strict=False):
        content = {**json.loads(run.result_file.read_text()), **shape}
        del content["crc32"]
        run.result_file.write_text(json.dumps(content))
        assert (run.result() is not None) == (name == "protocol has no data"), name
    assert len(hostile.runs()) > len(RESULTS)
    carry_out(hostile, *COMMANDS)


def test_impossible_setting_is_named_with_its_file_and_key_and_offered_for_removal(hostile: Store) -> None:
    run, other = map(hostile.run, choice.of_table(hostile, "table4").signatures[:2])
    content = json.loads(run.result_file.read_text())
    del content["crc32"]
    sealed.write_with_checksum(run.result_file, {**content, "micro_batch": -1})
    other.config_file.write_text(other.config_file.read_text().replace("pad100: false", "pad100: 7"))
    assert other.result() is not None
    assert other.believed_result() is None
    said = carry_out(hostile, "verify table4").replace("\n", " ")
    assert "micro_batch=-1" in said
    assert "science.pad100=7" in said
    cleaned = carry_out(hostile, "clean")
    assert "results that are not believed" in cleaned
    assert "result.json: micro_batch=-1" in cleaned
    assert "config.yaml: " in cleaned
    assert "science.pad100=7" in cleaned
    assert run.signature in cleaned
    assert other.signature in cleaned
    assert study.read_runs(study.load_all(hostile), hostile)[other.signature].result is None


SHAPES = ("[]", "5", '"x"', "null", "[" * 100_000, '{"a":' * 500 + "1" + "}" * 500, "\xff", "1e999")


def test_whole_files_of_another_shape_are_damaged_ones(hostile: Store) -> None:
    (hostile.figures / "scales").mkdir(parents=True, exist_ok=True)
    for number, (run, shape) in enumerate(zip(hostile.runs(), SHAPES, strict=False)):
        named = (run.result_file, run.folder / "status.json", run.folder / "job.json", run.environment_file)
        studies = hostile.studies / f"other{number}.json"
        for file in (*named, run.metrics_file, studies, hostile.figures / f"scales/{number}.json"):
            file.write_bytes(shape.encode("latin-1") + b"\n")
        assert (run.result(), run.job(), run.metrics(), run.status().state) == (None, None, [], "")
    said = carry_out(hostile, *COMMANDS)
    for number in range(len(SHAPES)):
        assert f"other{number}.json: passed over, it is no study" in said


STATUSES: tuple[Mapping[str, Any], ...] = (
    {"state": 5},
    {"state": "running", "pid": "7", "host": []},
    {"state": "failed", "error": {"a": 1}},
    {"state": "running", "iteration": "x", "steps": -5},
    {"state": "running", "iteration": 1, "steps": 2, "seconds_left": 1e300},
)


def test_statuses_of_another_shape_say_nothing(hostile: Store) -> None:
    for run, status in zip(hostile.runs(), STATUSES, strict=False):
        run.result_file.unlink()
        sealed.write_json(run.folder / "status.json", status)
        sealed.write_json(run.folder / "job.json", {"job": "--user=root", "after": 5})
        sealed.write_json(run.environment_file, {"versions": "x", "data_id": 5})
        assert (run.job(), run.prerequisite_jobs(), run.environment().versions) == (None, [], {})
    carry_out(hostile, *COMMANDS)
    run.update_status(state="queued")
    assert run.status().beat == 1


def _changed(*path: Any, to: Any) -> Callable[[Any], None]:
    def change(content: Any) -> None:
        *way, last = path
        for key in way:
            content = content[key]
        content[last] = to

    return change


OUTSIDE = "../../../../outside"
STUDIES: dict[str, Callable[[Any], None]] = {
    "created is a number": _changed("created", to=5),
    "no such row": _changed("cells", 0, "row", to="nosuch"),
    "no such column": _changed("cells", 0, "column", to="nosuch"),
    "no seeds": _changed("seeds", to=[]),
    "a seed more": _changed("seeds", to=[0, 1, 2, 3]),
    "seed is too large": _changed("seeds", to=[0, 10**20]),
    "signature is a path": _changed("cells", 0, "signature", to="/etc"),
    "signature is a number": _changed("cells", 0, "signature", to=5),
    "printed number is text": _changed("table", "rows", 0, "paper", "raw", "text", to="abc"),
    "claim does not parse": _changed("table", "claims", 0, "holds_if", to="(("),
    "claim is a number": _changed("table", "claims", 0, "holds_if", to="1 + 2"),
    "number of a claim is too large": _changed("table", "claims", 0, "holds_if", to="9" * 400 + " > 1"),
    "claim counts what is printed": _changed("table", "claims", 0, "holds_if", to="wins(fc7, pool6_fc7) > 1"),
    "claim mixes a spread": _changed("table", "claims", 0, "holds_if", to="spread(fc7.raw) - 1 < spread(fc7.norm)"),
    "claim is of no kind": _changed("table", "claims", 0, "kind", to="rumour"),
    "profile is null": _changed("profile", to=None),
    "profile is outside": _changed("profile", to=OUTSIDE),
    "name is outside": _changed("name", to=OUTSIDE),
    "table is outside": _changed("table", "name", to=OUTSIDE),
    "row is outside": _changed("table", "rows", 0, "key", to=OUTSIDE),
    "table is absolute": _changed("table", "name", to="/tmp/outside"),
    "no labels": _changed("table", "rows", 0, "labels", to=[]),
    "label is a number": _changed("table", "rows", 0, "labels", to=[5]),
    "overrides are numbers": _changed("table", "rows", 0, "overrides", to=[5]),
    "no columns": _changed("table", "columns", to=[]),
    "no metric": _changed("table", "columns", 0, "metric", to="os.system"),
    "cells are text": _changed("cells", to="abc"),
}


def test_studies_that_cannot_be_are_passed_over_with_one_sentence_each(hostile: Store) -> None:
    (whole,) = hostile.studies.glob("*.json")
    for number, change in enumerate(STUDIES.values()):
        content = json.loads(whole.read_text())
        del content["crc32"]
        change(content)
        sealed.write_with_checksum(hostile.studies / f"{number}.json", content)
    assert [one.name for one in study.load_all(hostile)] == [whole.stem]
    sentences = study.skipped(hostile)
    assert len(sentences) == len(STUDIES)
    for sentence in sentences:
        assert "json: passed over, it is no study (" in sentence
        assert "\n" not in sentence
        assert sentence.rstrip(".)").endswith(("makes it again", "freezes it anew"))
    said = carry_out(hostile, *COMMANDS)
    assert all(sentence in said for sentence in sentences)


K = len(CLASSES)
ARRAYS: dict[str, Mapping[str, Any]] = {
    "of other classes": {"confusions": np.ones((8, K + 2, K + 2), np.int32), "ids": np.array(IDS)},
    "scalars": {"confusions": np.array(5), "ids": np.array("a")},
    "texts": {"confusions": np.full((8, K, K), "a"), "ids": np.array(IDS)},
    "empty": {"confusions": np.zeros((0, K, K), np.int32), "ids": np.array([], "U1")},
    "not finite": {"confusions": np.full((8, K, K), np.nan), "ids": np.array(IDS)},
    "negative": {"confusions": np.full((8, K, K), -1), "ids": np.array(IDS)},
    "all zero": {"confusions": np.zeros((8, K, K), np.int32), "ids": np.array(IDS)},
    "huge": {"confusions": np.full((8, K, K), 2**63, np.uint64), "ids": np.array(IDS)},
}


def test_arrays_of_another_shape_are_damaged_ones(hostile: Store) -> None:
    for number, run in enumerate(hostile.runs()):
        shape = list(ARRAYS.values())[number % len(ARRAYS)]
        np.savez(run.confusions_file, **shape)
        content = json.loads(run.result_file.read_text())
        sealed.write_json(run.result_file, {k: v for k, v in content.items() if k not in ("files", "crc32")})
        with pytest.raises(sealed.Damaged, match="expected"):
            artifacts.confusions(run)
    assert "cannot be read" in carry_out(hostile, "verify table4 --to md")
    assert "expected" in carry_out(hostile, "figure context table4")


def test_pictures_of_another_shape_are_not_shown(hostile: Store) -> None:
    for run in hostile.runs():
        npz.write(run.predictions_file, dict.fromkeys(IDS, np.ones((4, 4), np.float32)))
        content = json.loads(run.result_file.read_text())
        sealed.write_json(run.result_file, {k: v for k, v in content.items() if k not in ("files", "crc32")})
    for file in (hostile.root / "samples").glob("*.npz"):
        arrays = {f"{kind}{i}": np.ones((4, 4), np.int64) for i in range(8) for kind in ("photo", "truth")}
        npz.write(file, {"ids": np.array(IDS), **arrays})
    for name, panels in {"a": 5, "b": [{"truth": "x"}]}.items():
        data = {"figure": "scales", "about": {"profile": "quick"}, "layers": panels, "panels": panels}
        figure_store.save(hostile, "scales", name, data)
    figure_store.save(hostile, "scales", "c", {"figure": "scales", "about": {"profile": ["quick"]}})
    assert list(figure_store.load_all(hostile, "scales")) == ["a", "b"]
    said = carry_out(hostile, "report", "figure context table4")
    assert "is no label map" in said


@pytest.mark.parametrize(
    "how", ["lock is a folder", "lock is a link", "run is a link", "runs is a link", "cannot be read"]
)
def test_what_is_no_run_of_this_folder_is_named_and_left_alone(hostile: Store, how: str, tmp_path: Path) -> None:
    run, elsewhere = one_run(hostile), hostile.root / "elsewhere"
    run.result_file.unlink()
    if how == "lock is a folder":
        run.lock_file.mkdir()
    elif how == "lock is a link":
        run.lock_file.symlink_to(tmp_path / "in/mine")
    elif how == "run is a link":
        run.folder.rename(elsewhere)
        run.folder.symlink_to(elsewhere)
    elif how == "runs is a link":
        hostile.runs_folder.rename(elsewhere)
        hostile.runs_folder.symlink_to(elsewhere)
    else:
        run.config_file.unlink()
        run.config_file.symlink_to(run.config_file.name)
    kept = {path: path.read_bytes() for path in elsewhere.rglob("*") if path.is_file()}
    for command in ("status", "table table4", "verify table4", "export --to csv", "clean"):
        if not (
            how == "runs is a link" and command.startswith("export")
        ):  # nothing is done there that could be exported
            assert "passed over, it" in carry_out(hostile, command).replace("\n", " "), command
    carry_out(hostile, "report", "clean --yes --results-too")
    assert kept == {path: path.read_bytes() for path in elsewhere.rglob("*") if path.is_file()}
    assert (tmp_path / "in/mine").read_text() == "precious"


def test_export_removes_its_own_earlier_files_and_nothing_else(hostile: Store) -> None:
    out = hostile.root / "exp"
    stale, linked = out / "quick/table4/gone.raw/seed0", hostile.root / "linked"
    for folder in (stale, out / "quick/table4/gone.raw/seed1", linked):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "events.out.tfevents.0.parsenet").write_text("stale")
    (stale / "notes.txt").write_text("mine")
    (out / "quick/table4/gone.raw/seed2").symlink_to(linked)
    carry_out(hostile, f"export --to tensorboard --out {out}")
    assert [path.name for path in stale.iterdir()] == ["notes.txt"]
    assert not (out / "quick/table4/gone.raw/seed1").exists()
    assert (linked / "events.out.tfevents.0.parsenet").read_text() == "stale"


def test_export_does_not_write_behind_a_link(hostile: Store, tmp_path: Path) -> None:
    out = hostile.root / "exp"
    out.mkdir(parents=True, exist_ok=True)
    (out / "quick").symlink_to(tmp_path)
    assert "links inside" in carry_out(hostile, f"export --to tensorboard --out {out}")
