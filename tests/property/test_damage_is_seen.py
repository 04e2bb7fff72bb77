"""A flipped bit or a truncation, anywhere in any file of the store: what is read is what was written, or it is seen.

Checkpoints have this test in test_checkpoint.py, decoded images in test_damaged_data.py.
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

from parsenet_cli.config import frozen_table, profile, table_file
from parsenet_cli.config.compose import Composer
from parsenet_cli.core import files, sealed
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.palette import indexed
from parsenet_cli.core.run_config import RunConfig
from parsenet_cli.core.text import silent
from parsenet_cli.data.fingerprint import content_hashes
from parsenet_cli.engine.predict.submit import _whole
from parsenet_cli.runner.plan import plan_table
from parsenet_cli.store import artifacts, samples, study
from parsenet_cli.store import figures as figure_store
from parsenet_cli.store.result import RunEnvironment
from parsenet_cli.store.run import Run, Store
from tests import damage
from tests.made_store import CLASSES, IDS, add_images, add_run

SEEDS = range(160)
SEEN = "seen"
"""What a reader that found damage gives."""

RECORDS = [{"iteration": i, "loss": 1e4 / i, "lr": 1e-3, "seconds": i / 10} for i in range(10, 60, 10)]


@dataclass(frozen=True)
class Case:
    """A file of the store, and how its content is read: as JSON text, or `SEEN`."""

    file: Path
    read: Callable[[], str]
    mends: bool = False
    """Damage is never seen by the caller: the content is made again, and the same comes out."""


@pytest.fixture(scope="module")
def composer(tmp_path_factory: pytest.TempPathFactory) -> Composer:
    return Composer(
        profile.load("quick"), ["weights=none", "recipe.frozen=[]"], tmp_path_factory.mktemp("store") / "cache"
    )


@pytest.fixture(scope="module")
def config(composer: Composer) -> RunConfig:
    return composer.run_config()


@pytest.fixture(scope="module")
def store(composer: Composer, config: RunConfig) -> Store:
    """One finished run, its study, a figure and what a cache holds."""
    store = Store(composer.cache.parent)
    run = add_run(store, config)
    run.model_file.write_bytes(np.random.default_rng(0).bytes(3000))
    belonging = (run.confusions_file, run.predictions_file, run.metrics_file, run.model_file)
    run.record_result(run.done_result(), *belonging)
    run.record_environment(RunEnvironment(device="a processor", data_id=config.science.data_id))
    run.record_job("12_3")
    run.update_prerequisite("data", text="decoding")
    run.update_status(threads=2, iteration=50, steps=50)
    study.save(plan_table(table_file.load("table8"), composer, (0,)).study, store)
    composer.save()
    figure_store.save(store, "scales", "key", {"figure": "scales", "created": "2020", "ratio": {"estimate": 12.5}})
    add_images(store, config.science.data_id)
    sources = store.root / "sources"
    sources.mkdir()
    for i in range(3):
        (sources / f"{i}.jpg").write_bytes(bytes([i]) * 100)
    content_hashes(sorted(sources.iterdir()), store.cache, silent)
    with files.atomic_write(store.cache / "weights" / "trunk.safetensors") as weights:
        weights.write(np.random.default_rng(1).bytes(2000))
    sealed.write_checksum_beside(store.cache / "weights" / "trunk.safetensors")
    with files.atomic_write(store.cache / "submissions" / "map.png") as image:
        indexed(np.random.default_rng(2).integers(0, 21, (30, 40), np.uint8)).save(image, "PNG")
    return store


def text(content: Any) -> str:
    """Of a JSON value; of an empty one, `SEEN`."""
    return json.dumps(content, sort_keys=True) if content else SEEN


def told(read: Callable[[], str], sentence: str) -> str:
    """What is read, or `SEEN` where damage is told in this sentence."""
    try:
        return read()
    except UserError as problem:
        return SEEN if sentence in str(problem) else f"another sentence: {problem}"


def arrays(read: Callable[[], dict[str, Any]]) -> str:
    def content() -> str:
        stored = {name: np.asarray(value) for name, value in read().items()}
        return text({name: [str(array.dtype), array.tolist()] for name, array in stored.items()})

    return told(content, ".npz: is damaged")


def result_of(run: Run) -> str:
    result = run.result()
    assert (result is None) is run.has_damaged_result
    return text(result and dict(result.content))


def curve_of(run: Run) -> str:
    """Whole records are shown whatever else is damaged; that some are missing is seen by the checksum."""
    records = run.metrics()
    assert all(record in RECORDS for record in records)
    return SEEN if run.metrics_file.name in artifacts.damaged(run) else text(records)


def model_of(run: Run) -> str:
    artifacts.verify_model(run)
    return run.model_file.read_bytes().hex()


def study_of(store: Store) -> str:
    studies = study.load_all(store)
    assert len(studies) + len(study.skipped(store)) == 1
    return text([[one.created, one.cells[0].signature, frozen_table.to_json(one.table)] for one in studies])


def samples_of(file: Path) -> str:
    return text({name: [sample.image.hex(), sample.truth.tolist()] for name, sample in samples.read(file).items()})


def map_of(file: Path) -> str:
    if not _whole(file):
        return SEEN
    with Image.open(file) as image:
        return text([np.asarray(image).tolist(), image.getpalette()])


def cases(store: Store) -> dict[str, Case]:
    (run,) = store.runs()
    cache, (sample,) = store.cache, (store.root / "samples").iterdir()
    weights, submission = cache / "weights" / "trunk.safetensors", cache / "submissions" / "map.png"

    def weights_of() -> str:
        return weights.read_bytes().hex() if sealed.intact(weights) else SEEN

    def hashes() -> str:
        return text(content_hashes(sorted((store.root / "sources").iterdir()), cache, silent))

    def signature() -> str:
        return Composer(profile.load("quick"), ["weights=none", "recipe.frozen=[]"], cache).run_config().signature

    return {
        "result": Case(run.result_file, lambda: result_of(run)),
        "status": Case(run.folder / "status.json", lambda: text(run.status().content)),
        "environment": Case(run.environment_file, lambda: text(run.environment().content)),
        "job": Case(run.folder / "job.json", lambda: text(run.job())),
        "prerequisite": Case(run.folder / "preparing-data.json", lambda: text(run.prerequisite("data").content)),
        "metrics": Case(run.metrics_file, lambda: curve_of(run)),
        "config": Case(run.config_file, lambda: told(lambda: run.config().science.model_dump_json(), "config.yaml: ")),
        "confusions": Case(run.confusions_file, lambda: arrays(lambda: vars(artifacts.confusions(run)))),
        "predictions": Case(run.predictions_file, lambda: arrays(lambda: artifacts.predictions(run))),
        "model": Case(run.model_file, lambda: told(lambda: model_of(run), f"parsenet keep {run.signature}")),
        "study": Case(next(store.studies.iterdir()), lambda: study_of(store)),
        "figure": Case(
            figure_store.file_of(store, "scales", "key"), lambda: text(figure_store.load(store, "scales", "key"))
        ),
        "samples": Case(sample, lambda: samples_of(sample)),
        "composed": Case(cache / "composed.json", signature, mends=True),
        "fingerprints": Case(next((cache / "fingerprints").iterdir()), hashes, mends=True),
        "weights": Case(weights, weights_of),
        "weights' checksum": Case(weights.with_name(f"{weights.name}.json"), weights_of),
        "submission": Case(submission, lambda: map_of(submission)),
    }


KINDS = (
    *("result", "status", "environment", "job", "prerequisite", "metrics", "config", "confusions", "predictions"),
    *("confusions of an older result", "predictions of an older result", "model", "study", "figure", "samples"),
    *("composed", "fingerprints", "weights", "weights' checksum", "submission"),
)


@pytest.fixture
def case(request: pytest.FixtureRequest, store: Store) -> Iterator[Case]:
    """The file `request.param`; it is as before when the test ends."""
    (run,) = store.runs()
    kind, _, older = request.param.partition(" of an ")
    case = cases(store)[kind]
    before = {file: file.read_bytes() for file in (run.result_file, case.file)}
    if older:
        content = run.done_result().content
        sealed.write_json(run.result_file, {key: value for key, value in content.items() if key != "files"})
    yield case
    for file, content_before in before.items():
        file.write_bytes(content_before)


@pytest.mark.parametrize("case", KINDS, indirect=True)
def test_damaged_file_gives_what_was_written_or_is_seen(case: Case) -> None:
    whole, before = case.read(), case.file.read_bytes()
    assert whole != SEEN
    times = 0
    seeds = SEEDS if case.file.name != "composed.json" else range(8)  # composing takes a while
    for seed in seeds:
        damage.at_random(case.file, seed)
        content = case.read()
        assert content in (whole, SEEN), f"seed {seed}"
        times += content == SEEN
        case.file.write_bytes(before)
    assert times == 0 if case.mends else times > len(seeds) / 2


def test_every_kind_is_damaged_and_the_images_are_named_as_in_the_made_store(store: Store) -> None:
    """Otherwise the comparisons above would be of nothing."""
    (run,) = store.runs()
    assert {kind.partition(" of an ")[0] for kind in KINDS} == set(cases(store))
    assert artifacts.confusions(run).ids == IDS
    assert set(artifacts.predictions(run)) == set(IDS)
    assert run.done_result().classes == list(CLASSES)
