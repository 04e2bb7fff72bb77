"""A folder as its user has it: a table of their own, its runs, photos. Made once, copied for every case."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from parsenet_cli.core.paths import PACKAGE
from parsenet_cli.core.sealed import CHECKSUM_KEY, with_checksum
from parsenet_cli.store.run import Run, Store
from tests import voc_folder

SHORT = ("data=folder", "data_root=photos", "weights=none", "recipe.frozen=[]", "recipe.iterations=3", "body=fcn")
TABLE = """\
title: A table of my own
data: siftflow
base: [recipe=parsenet]
labels: ["Layers"]
columns:
  raw: {header: "w/o Norm", set: [norm=none], metric: mean_iu}
  norm: {header: "w/ Norm", set: [norm=l2], metric: pixel_accuracy}
rows:
  fc7:
    label: ["fc7"]
    set: ["layers=[fc7]"]
    paper: {raw: "36.6", norm: "36.2"}
  both:
    label: ["pool6 + fc7"]
    set: ["layers=[pool6,fc7]"]
    paper: {raw: "38.2", norm: "**37.6**"}
    note: A note.
note: Another note.
claims:
  context_helps:
    says: Context helps.
    where: Table 4
    holds_if: both.raw > fc7.raw
    effect: both.raw - fc7.raw
  little:
    says: It changes little.
    where: Table 4
    holds_if: abs(fc7.raw - both.raw) < margin
    effect: both.raw - fc7.raw
    margin: "0.5"
"""
SECRETS = {".bashrc": "alias ls='ls -F'\n", "thesis.txt": "years of work\n", "kept/precious.json": '{"a": 1}\n'}
"""What lies in the home of whoever gives the command."""


@dataclass(frozen=True)
class Place:
    """Where a case happens. Commands are given in `work`, write there and in `tmp` only, and see `home` around them.

    Attributes:
        root: Everything below it is the case's.
    """

    root: Path

    @property
    def work(self) -> Path:
        return self.root / "work"

    @property
    def home(self) -> Path:
        """Its files are somebody's: what links of the corpus point to."""
        return self.root / "home"

    @property
    def tmp(self) -> Path:
        return self.root / "tmp"

    @property
    def results(self) -> Path:
        return self.work / "results"

    @cached_property
    def store(self) -> Store:
        return Store(self.results)

    @cached_property
    def runs(self) -> list[Run]:
        """Of the study, done; the last of them is the failed one's, lost one's and queued one's neighbour."""
        return [self.store.run(signature) for signature in self.known["done"]]

    @cached_property
    def known(self) -> dict[str, Any]:
        """The signatures of runs by how they stand, and the name of the study."""
        known: dict[str, Any] = json.loads((self.root / "known.json").read_text())
        return known

    @property
    def run(self) -> Run:
        """A run of the study, with its model."""
        return self.runs[0]

    @property
    def study_file(self) -> Path:
        return self.store.studies / f"{self.known['study']}.json"

    def file(self, name: str, content: str | bytes) -> Path:
        """Write a file of the work folder."""
        file = self.work / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode(errors="surrogateescape") if isinstance(content, str) else content)
        return file

    def environment(self) -> dict[str, str]:
        """Of its commands."""
        return {
            "PATH": f"{self.root}/slurm:{os.environ['PATH']}",
            "HOME": str(self.home),
            "TMPDIR": str(self.tmp),
            "COLUMNS": "160",
            "LC_ALL": "C.UTF-8",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "MPLCONFIGDIR": os.environ.get("MPLCONFIGDIR", str(self.tmp)),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": str(PACKAGE.parent),
        }


Issue = Callable[[Place, Sequence[str]], int]
"""Carries out a command in a place; returns its status."""


class Base:
    """The folder that cases copy."""

    def __init__(self, folder: Path, issue: Issue) -> None:
        self.place, self._give = Place(folder), issue
        self.place.work.mkdir(parents=True)
        self.place.tmp.mkdir()
        for name, content in SECRETS.items():
            (self.place.home / name).parent.mkdir(parents=True, exist_ok=True)
            (self.place.home / name).write_text(content)
        self._make()

    def copy(self, root: Path) -> Place:
        """A fresh copy, without a hard link to it."""
        shutil.copytree(self.place.root, root, symlinks=True)
        return Place(root)

    def _make(self) -> None:
        place = self.place
        place.file("ablations/own.yaml", TABLE)
        (place.work / "pictures").mkdir()
        voc_folder.noise(0, 70, 90).save(place.work / "pictures" / "a.jpg")
        voc_folder.noise(1, 70, 90).save(place.work / "pictures" / "b.png")
        voc_folder.write(place.work / "photos", "background cat dog", 70, 90, train="p0 p1 p2 p3", val="p4 p5")
        self._issue("ablate", "own", "--seeds", "2", "keep_model=true", "--launcher", "inline", *SHORT)
        done = [run.signature for run in place.store.runs()]
        study = next(place.store.studies.glob("*.json")).stem
        for command in ("curves", "context"):
            self._issue("figure", command, "own")
        self._issue("verify", "own", "--to", "json", code=(0, 3))
        self._issue("report")
        for form in ("csv", "tensorboard"):
            self._issue("export", "--to", form)
        others = self._unfinished()
        (place.root / "known.json").write_text(json.dumps({"done": done, "study": study, **others}))

    def _unfinished(self) -> dict[str, str]:
        """A failed, a lost and a queued run, of the same table with other seeds."""
        place, known = self.place, {}
        for seed, state in ((7, "failed"), (8, "running"), (9, "queued")):
            before = {run.signature for run in place.store.runs()}
            self._issue("train", f"seed={seed}", "--launcher", "inline", *SHORT)
            (run,) = [run for run in place.store.runs() if run.signature not in before]
            run.result_file.unlink()
            run.update_status(state=state, error="it broke" if state == "failed" else "", iteration=1, steps=3)
            run.record_job("4711", after=["4710"])
            run.update_prerequisite("data", text="decoding", beat=1)
            known[state] = run.signature
        for file in place.store.studies.glob("train-*.json"):
            file.unlink()
        return known

    def _issue(self, *arguments: str, code: tuple[int, ...] = (0,)) -> None:
        status = self._give(self.place, arguments)
        assert os.waitstatus_to_exitcode(status) in code, f"{arguments}: {(self.place.root / 'err').read_text()}"


def sealed(content: dict[str, Any]) -> bytes:
    """A JSON object with the checksum that fits."""
    return json.dumps(with_checksum(content), indent=1).encode()


def unsealed(file: Path) -> dict[str, Any]:
    """The content of a file of the base, without its checksum."""
    content: dict[str, Any] = json.loads(file.read_bytes())
    content.pop(CHECKSUM_KEY, None)
    return content
