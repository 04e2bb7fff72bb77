"""Exports: event files that a reader of the format accepts, CSV of the frames, nothing stale, nothing lost silently."""

from __future__ import annotations

import csv
import io
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.sealed import write_json
from parsenet_cli.report import export, tensorboard
from parsenet_cli.store import study
from parsenet_cli.store.run import Run, Store
from parsenet_cli.store.study import StudyCell
from tests.unit.report.test_paper_table import result, study_of


def records(content: bytes) -> Iterator[bytes]:
    """The contents of TFRecords, checksums checked."""
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        body = content[12 : 12 + length]
        for part, check in ((content[:8], content[8:12]), (body, content[12 + length : 16 + length])):
            crc = (struct.unpack("<I", check)[0] - 0xA282EAD8) & 0xFFFFFFFF
            assert (crc >> 17 | crc << 15) & 0xFFFFFFFF == tensorboard.crc32c(part)
        yield body
        content = content[16 + length :]


def fields(message: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Field numbers and contents of a protocol buffer, one level deep."""
    place = 0

    def varint() -> int:
        nonlocal place
        value = shift = 0
        while True:
            byte = message[place]
            place += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while place < len(message):
        key = varint()
        if key & 7 == 0:
            yield key >> 3, varint()
            continue
        size = {1: 8, 5: 4}.get(key & 7) or varint()
        yield key >> 3, message[place : place + size]
        place += size


def scalars(content: bytes) -> dict[tuple[str, int], float]:
    values = {}
    for event in (dict(fields(body)) for body in records(content)):
        for _, value in fields(event.get(5, b"")):  # type: ignore[arg-type]
            parts = dict(fields(value))  # type: ignore[arg-type]
            if 2 in parts:
                values[bytes(parts[1]).decode(), int(event[2])] = struct.unpack("<f", parts[2])[0]  # type: ignore[arg-type]
    return values


def test_checksum_is_crc32c() -> None:
    assert tensorboard.crc32c(b"123456789") == 0xE3069283  # the check value of RFC 3720's CRC


@given(st.dictionaries(st.text(max_size=9), st.floats(width=32, allow_nan=False), max_size=4), st.integers(0, 2**40))
def test_scalars_come_back(values: dict[str, float], step: int) -> None:
    read = scalars(tensorboard.version(1.5) + tensorboard.scalars(values, step, 2.5))
    assert read == {(tag, step): value for tag, value in values.items()}


@pytest.fixture
def store(store: Store, run: Run) -> Store:
    """Table 4 with one finished run, which serves two cells."""
    run.update_status(started=1000.0)
    for iteration, loss in ((10, 3.5), (20, None)):
        run.append_metrics({"iteration": iteration, "loss": loss, "lr": 0.5, "seconds": iteration / 10})
    write_json(run.result_file, result(run.signature, 0.25))
    cells = tuple(StudyCell(row, "raw", 0, run.signature) for row in ("fc7", "fcn32s"))
    missing = StudyCell("conv3", "raw", 0, "0123456789ab")
    study.save(replace(study_of("table4", {}, store), seeds=(0,), cells=(*cells, missing)), store)
    return store


def test_tensorboard_has_curves_and_scores_of_every_cell(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "events"
    stale = out / "quick/table4/gone.raw/seed0" / export.EVENTS
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"")
    (out / "mine.txt").write_text("kept")
    export.export_studies(store, "tensorboard", [], None, out, pytest.fail)
    files = sorted(out.rglob("*tfevents*"))
    folders = ["quick/table4/fc7.raw/seed0", "quick/table4/fcn32s.raw/seed0"]
    assert [str(file.parent.relative_to(out)) for file in files] == folders
    assert (out / "mine.txt").is_file()
    read = scalars(files[0].read_bytes())
    assert read["train/loss", 10] == 3.5
    assert ("train/loss", 20) not in read
    assert read["val/mean_iu", 20] == 25.0
    assert read["val/iu/background", 20] == pytest.approx(90)
    assert read["val/collapsed", 20] == 0


def test_tensorboard_itself_reads_them(store: Store, tmp_path: Path) -> None:
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator", reason="no tensorboard here")
    export.export_studies(store, "tensorboard", ["table4"], None, tmp_path / "events", pytest.fail)
    events = reader.EventAccumulator(str(tmp_path / "events/quick/table4/fc7.raw/seed0"))
    events.Reload()
    assert [(e.step, e.value) for e in events.Scalars("val/mean_iu")] == [(20, 25.0)]
    assert set(events.PluginTagToContent("hparams")) == {"_hparams_/session_start_info", "_hparams_/session_end_info"}


def test_csv_has_the_frames_and_each_curve_once(store: Store, tmp_path: Path) -> None:
    export.export_studies(store, "csv", [], "quick", tmp_path / "csv", pytest.fail)
    lines = list(csv.DictReader(io.StringIO((tmp_path / "csv/tables.csv").read_text())))
    assert [(line["profile"], line["row"], line["value"], line["outcome"]) for line in lines] == [
        ("quick", "fc7", "25", "converged"),
        ("quick", "fcn32s", "25", "converged"),
        ("quick", "conv3", "", "new"),
    ]
    curves = list(csv.DictReader(io.StringIO((tmp_path / "csv/curves.csv").read_text())))
    assert [(line["iteration"], line["loss"]) for line in curves] == [("10", "3.5"), ("20", "")]


def test_a_run_whose_configuration_cannot_be_read_is_named_and_skipped(store: Store, run: Run, tmp_path: Path) -> None:
    run.config_file.write_text("science: {}\n")
    skipped: list[str] = []
    written = export.export_studies(store, "tensorboard", [], None, tmp_path / "events", skipped.append)
    assert f"skipped: {run.config_file}: does not hold a run's configuration" in skipped[0]
    assert "written: 0 event files" in written


def test_nothing_to_export_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no run is done that could be exported"):
        export.export_studies(Store(tmp_path), "csv", [], None, tmp_path / "out", pytest.fail)
    assert not (tmp_path / "out").exists()
