"""`parsenet sweep`, and `parsenet report` after it."""

from __future__ import annotations

from pathlib import Path

from parsenet_cli.store import samples
from parsenet_cli.store.run import Store
from tests.conftest import SHORT, Cli


def test_sweep_prints_its_grid_and_the_report_has_its_images_and_is_made_once(
    cli: Cli, results: Path, tmp_path: Path
) -> None:
    printed = cli("sweep", *SHORT, "layers=[fc7],[pool6,fc7]", "--launcher", "inline").stdout
    assert all(label in printed for label in ("layers", "[fc7]", "[pool6,fc7]"))
    (file,) = (results / "samples").glob("*.npz")
    assert len(samples.read(file)) == min(24, Store(results).runs()[0].done_result().val_images or 0)

    (results / "cache").unlink()  # a report needs studies, runs and samples alone
    page, text = results / "report" / "index.html", results / "report" / "report.md"
    assert cli("report").stdout.splitlines() == [f"written: {page}", f"written: {text}"]
    assert "data:image/" in page.read_text()
    assert "Images and errors without and with global context" in page.read_text()
    assert "nothing to show" not in text.read_text()
    assert cli("report").stdout.splitlines() == [f"unchanged: {page}", f"unchanged: {text}"]
    cli("report", "--out", tmp_path / "elsewhere", "--profile", "quick")
    assert (tmp_path / "elsewhere" / "index.html").is_file()
