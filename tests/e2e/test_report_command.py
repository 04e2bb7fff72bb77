"""`parsenet report` after a real run, and on nothing."""

from __future__ import annotations

from pathlib import Path

from parsenet_cli.store import samples
from parsenet_cli.store.run import Store
from tests.conftest import SHORT, Cli


def test_report_of_a_run_has_its_pictures_and_is_made_once(cli: Cli, results: Path, tmp_path: Path) -> None:
    assert cli("sweep", *SHORT, "layers=[fc7],[pool6,fc7]", "--launcher", "inline").returncode == 0
    (file,) = (results / "samples").glob("*.npz")
    run = next(iter(Store(results).runs()))
    assert len(samples.read(file)) == min(24, run.done_result().val_images)

    (results / "cache").unlink()  # a report needs studies, runs and samples alone
    first = cli("report")
    assert first.returncode == 0, first.stderr
    page, text = results / "report" / "index.html", results / "report" / "report.md"
    assert first.stdout.splitlines() == [f"written: {page}", f"written: {text}"]
    assert "data:image/jpeg" in page.read_text()
    assert "Of 24 pictures" in text.read_text()
    again = cli("report")
    assert again.stdout.splitlines() == [f"unchanged: {page}", f"unchanged: {text}"]
    elsewhere = cli("report", "--out", tmp_path / "elsewhere", "--profile", "quick")
    assert elsewhere.returncode == 0
    assert (tmp_path / "elsewhere" / "index.html").is_file()


def test_report_of_nothing_is_one_sentence_and_exit_code_2(cli: Cli, results: Path) -> None:
    done = cli("report")
    assert done.returncode == 2
    assert done.stderr == f"error: {results}: there is no study to report. Run `parsenet ablate all` first\n"
    assert not (results / "report").exists()
