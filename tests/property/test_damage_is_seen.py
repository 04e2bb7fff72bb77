"""A flipped bit or a truncation, anywhere in any file of the store: what is read is what was written, or it is seen.

Checkpoints have this test in test_checkpoint.py, decoded pictures in test_damaged_data.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from parsenet_cli.config import profile, table_file
from parsenet_cli.config import table as ablation
from parsenet_cli.config.compose import Composer
from parsenet_cli.core import files
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import Damaged
from parsenet_cli.core.palette import indexed
from parsenet_cli.core.run_config import RunConfig
from parsenet_cli.core.text import silent
from parsenet_cli.data.fingerprint import content_hashes
from parsenet_cli.engine.predict.submit import _whole
from parsenet_cli.runner.plan import plan_table
from parsenet_cli.store import artifacts, samples, study
from parsenet_cli.store import figures as figure_store
from parsenet_cli.store.run import Run, Store
from tests import damage
from tests.made_store import CLASSES, IDS, add_pictures, add_run

SEEDS = range(160)
SEEN = "seen"
"""What a reader that found damage gives."""


@dataclass(frozen=True)
class Case:
    """A file of the store, and how its content is read: as JSON text, or `SEEN`."""

    file: Path
    read: Callable[[], str]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    return Composer(profile.load("quick"), ["weights=none"], tmp_path_factory.mktemp("composed")).run_config()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, config: RunConfig) -> Store:
    """One finished run, its study, a figure and what a cache holds."""
    store = Store(tmp_path_factory.mktemp("store"))
    run = add_run(store, config)
    run.model_file.write_bytes(np.random.default_rng(0).bytes(3000))
    result = run.done_result()
    run.record_result(result, "confusion.npz", "predictions.npz", "metrics.jsonl", run.model_file.name)
    run.record_environment({"device": "a processor", "data_id": config.science.data_id})
    run.record_job("12_3")
    run.update_prerequisite("data", text="decoding")
    run.update_status(threads=2, iteration=50, steps=50)
    composer = Composer(profile.load("quick"), ["weights=none"], store.cache)
    study.save(plan_table(table_file.load("table8"), composer, (0,)).study, store)
    composer.save()
    figure_store.save(store, "scales", "key", {"figure": "scales", "created": "2020", "ratio": {"estimate": 12.5}})
    add_pictures(store, config.science.data_id)
    sources = store.root / "sources"
    sources.mkdir()
    for i in range(3):
        (sources / f"{i}.jpg").write_bytes(bytes([i]) * 100)
    content_hashes(sorted(sources.iterdir()), store.cache, silent)
    with files.atomic_write(store.cache / "weights" / "trunk.safetensors") as weights:
        weights.write(np.random.default_rng(1).bytes(2000))
    files.write_checksum_beside(store.cache / "weights" / "trunk.safetensors")
    with files.atomic_write(store.cache / "submissions" / "map.png") as picture:
        indexed(np.random.default_rng(2).integers(0, 21, (30, 40), np.uint8)).save(picture, "PNG")
    return store


def text(content: Any) -> str:
    return json.dumps(content, sort_keys=True)


def seen(problem: UserError, says: str) -> str:
    """Damage that is told in a sentence."""
    return SEEN if says in str(problem) else f"another sentence: {problem}"


def arrays(read: Callable[[], dict[str, np.ndarray[Any, Any]]]) -> str:
    try:
        return text({name: [str(array.dtype), array.tolist()] for name, array in read().items()})
    except Damaged as problem:
        return seen(problem, ".npz: is damaged")


def result_of(run: Run) -> str:
    result = run.result()
    assert (result is None) is run.has_damaged_result
    return SEEN if result is None else text(result)


def curve_of(run: Run) -> str:
    """Whole records are shown whatever else is damaged; that some are missing is seen by the checksum."""
    records, missing = run.metrics(), SEEN if "metrics.jsonl" in artifacts.damaged(run) else ""
    for record in records:
        assert record in RECORDS
    return missing or text(records)


RECORDS = [{"iteration": i, "loss": 1e4 / i, "lr": 1e-3, "seconds": i / 10} for i in range(10, 60, 10)]


def model_of(run: Run) -> str:
    try:
        artifacts.verify_model(run)
    except Damaged as problem:
        return seen(problem, f"parsenet keep {run.signature}")
    return run.model_file.read_bytes().hex()


def science_of(run: Run) -> str:
    try:
        return run.config().science.model_dump_json()
    except UserError as problem:
        return seen(problem, "config.yaml: ")


def hashes_of(store: Store) -> str:
    """Never seen by the caller: what is remembered is believed or hashed again, and the same comes out."""
    return text(content_hashes(sorted((store.root / "sources").iterdir()), store.cache, silent))


def composed_of(store: Store) -> str:
    """The same."""
    return Composer(profile.load("quick"), ["weights=none"], store.cache).run_config().signature


def study_of(store: Store) -> str:
    found = study.load_all(store)
    assert len(found) + len(study.skipped(store)) == 1
    return text([found[0].created, found[0].cells[0].signature, ablation.to_json(found[0].table)]) if found else SEEN


def figure_of(store: Store) -> str:
    data = figure_store.load(store, "scales")
    return SEEN if data is None else text(data)


def samples_of(file: Path) -> str:
    found = samples.read(file)
    return text({name: [one.image.hex(), one.truth.tolist()] for name, one in found.items()}) if found else SEEN


def weights_of(file: Path) -> str:
    return file.read_bytes().hex() if files.intact(file) else SEEN


def map_of(file: Path) -> str:
    if not _whole(file):
        return SEEN
    with Image.open(file) as picture:
        return text([np.asarray(picture).tolist(), picture.getpalette()])


def said(read: Callable[[], dict[str, Any]]) -> str:
    return text(content) if (content := read()) else SEEN


KINDS = (
    *("result.json", "status.json", "env.json", "job.json", "preparing-data.json", "metrics.jsonl", "config.yaml"),
    *("confusion.npz", "predictions.npz", "confusion.npz of an older result", "predictions.npz of an older result"),
    *("model.safetensors", "study", "figure", "samples", "composed.json", "fingerprints", "weights", "weights' seal"),
    "submission",
)


@pytest.fixture
def case(request: pytest.FixtureRequest, store: Store, config: RunConfig) -> Iterator[Case]:
    """The file `request.param`; it is as before when the test ends."""
    (run,) = store.runs()
    kind, _, older = request.param.partition(" of an ")
    result = run.folder / "result.json"
    whole = result.read_bytes()
    if older:
        files.write_json(result, {key: value for key, value in run.done_result().items() if key != "files"})
    weights, (sample,) = store.cache / "weights" / "trunk.safetensors", (store.root / "samples").iterdir()
    cases = {
        "result.json": Case(result, lambda: result_of(run)),
        "status.json": Case(run.folder / "status.json", lambda: said(run.status)),
        "env.json": Case(run.folder / "env.json", lambda: said(run.environment)),
        "job.json": Case(run.folder / "job.json", lambda: run.job() or SEEN),
        "preparing-data.json": Case(run.folder / "preparing-data.json", lambda: said(lambda: run.prerequisite("data"))),
        "metrics.jsonl": Case(run.folder / "metrics.jsonl", lambda: curve_of(run)),
        "config.yaml": Case(run.folder / "config.yaml", lambda: science_of(run)),
        "confusion.npz": Case(
            run.folder / "confusion.npz",
            lambda: arrays(lambda: {"confusions": (found := artifacts.confusions(run)).matrices, **_named(found.ids)}),
        ),
        "predictions.npz": Case(run.folder / "predictions.npz", lambda: arrays(lambda: artifacts.predictions(run))),
        "model.safetensors": Case(run.model_file, lambda: model_of(run)),
        "study": Case(next((store.root / "studies").iterdir()), lambda: study_of(store)),
        "figure": Case(figure_store.file_of(store, "scales", "key"), lambda: figure_of(store)),
        "samples": Case(sample, lambda: samples_of(sample)),
        "composed.json": Case(store.cache / "composed.json", lambda: composed_of(store)),
        "fingerprints": Case(next((store.cache / "fingerprints").iterdir()), lambda: hashes_of(store)),
        "weights": Case(weights, lambda: weights_of(weights)),
        "weights' seal": Case(weights.with_name(f"{weights.name}.json"), lambda: weights_of(weights)),
        "submission": Case(
            store.cache / "submissions" / "map.png", lambda: map_of(store.cache / "submissions" / "map.png")
        ),
    }
    found = cases[kind]
    before = found.file.read_bytes()
    yield found
    found.file.write_bytes(before)
    result.write_bytes(whole)


def _named(ids: tuple[str, ...]) -> dict[str, np.ndarray[Any, Any]]:
    return {"ids": np.array(ids)}


@pytest.mark.parametrize("case", KINDS, indirect=True)
def test_damaged_file_gives_what_was_written_or_is_seen(case: Case) -> None:
    whole, before = case.read(), case.file.read_bytes()
    assert whole != SEEN
    times = 0
    seeds = SEEDS if case.file.name != "composed.json" else range(8)  # composing takes a while
    for seed in seeds:
        damage.at_random(case.file, seed)
        found = case.read()
        assert found in (whole, SEEN), f"seed {seed}"
        times += found == SEEN
        case.file.write_bytes(before)
    mends_itself = case.file.name == "composed.json" or case.file.parent.name == "fingerprints"
    assert times == 0 if mends_itself else times > len(seeds) / 2


def test_names_of_the_pictures_are_as_in_the_made_store(store: Store) -> None:
    """Otherwise the comparisons above would be of nothing."""
    (run,) = store.runs()
    assert artifacts.confusions(run).ids == IDS
    assert set(artifacts.predictions(run)) == set(IDS)
    assert run.done_result().classes == list(CLASSES)
