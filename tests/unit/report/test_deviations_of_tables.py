"""What deviates is said under a table: in one sentence, and of what the command line changed alone where a profile stands in."""

from __future__ import annotations

from pathlib import Path

import pytest

from parsenet_cli.config import profile, table_file
from parsenet_cli.config.compose import Composer
from parsenet_cli.config.deviations import settings_of
from parsenet_cli.core import sealed
from parsenet_cli.report.tables import deviating
from parsenet_cli.store.run import Store
from parsenet_cli.store.study import Study, StudyCell, read_runs
from tests.claim_store import signature_of


def sentences(table: str, name: str, folder: Path, *command_line: str, protocol: bool = True) -> list[str]:
    """Those under a table of a profile whose runs are done; the paper's data need not be there."""
    store, spec = Store(folder), table_file.load(table)
    composer = Composer(profile.load(name), command_line, folder)
    cells = []
    for cell in spec.cells():
        run = store.run(signature_of(f"{cell.row.key}-{cell.column.key}"))
        switches = settings_of(composer.science(cell.overrides)) if protocol else []
        content = {"signature": run.signature, "outcome": "converged", "protocol": [s.as_json() for s in switches]}
        sealed.write_json(run.result_file, content)
        cells.append(StudyCell(cell.row.key, cell.column.key, 0, run.signature))
    study = Study(f"{table}-{name}", "2026", name, command_line, (0,), spec, tuple(cells))
    return deviating(study, read_runs([study], store))


@pytest.mark.parametrize("name", ["quick", "photos"])
def test_table_as_it_is_says_nothing(name: str, tmp_path: Path) -> None:
    assert sentences("table1", name, tmp_path) == []


def test_table_of_the_papers_profile_says_its_arithmetic_and_why(tmp_path: Path) -> None:
    """But where the cell names one, which is then expected."""
    why = "(IEEE's would take about six times as long on a GPU)"
    said = f"Deviates from the protocol of these rows in arithmetic: precision=bfloat16 instead of float32 {why}."
    assert sentences("table1", "paper", tmp_path) == [said]
    assert sentences("arithmetic", "paper", tmp_path / "beyond") == []


@pytest.mark.parametrize("name", ["paper", "quick"])
def test_table_names_what_the_command_line_changed_in_one_sentence(name: str, tmp_path: Path) -> None:
    changed = ("norm_gradient=authors", "upsample=learned", "precision=float32")
    assert sentences("table6", name, tmp_path, *changed) == [
        "Deviates from the protocol of these rows in upsampling: upsample=learned instead of bilinear; gradient of the "
        "norm: norm_gradient=authors instead of exact (3 of 6 runs)."
    ]


def test_table_names_a_comparison_that_the_command_line_overruled(tmp_path: Path) -> None:
    (sentence,) = sentences("table4", "paper", tmp_path, "fusion=late")
    assert "fusion=late instead of early" in sentence


def test_results_from_before_the_protocol_say_nothing(tmp_path: Path) -> None:
    assert sentences("table6", "paper", tmp_path, "upsample=learned", protocol=False) == []
