"""The tables print the paper's own words and numbers: an independent transcription, by printed row label and column header."""

from __future__ import annotations

import pytest

from parsenet_cli.config import table_file

TRANSCRIPTION = """
# table1: PASCAL-Context | Mean IoU
FCN-32s³: 35.1
Baseline A: 33.57
Baseline B: 35.04
Baseline C: 36.16
Baseline D: 36.64*
# table2: VOC2012 | Mean IoU
DeepLab [2]: 59.80
DeepLab-LargeFOV [2]: 62.25
DeepLab Baseline: 64.96
DeepLab-LargeFOV Baseline: 65.82*
# table3: | pixel acc. | mean acc. | Mean IU | f.w. IU
FCN-16s [19]: 85.2 51.7 39.5 76.1
fc7: 85.1 44.1 35.4 75.6
pool6 + fc7: 85.7 43.9 35.5 76.4
pool6 + fc7 + conv5: 85.4 51.4 38.7 76.3
pool6 + fc7 + conv5 + conv4: 86.8* 52.0* 40.4* 78.1*
# table4: | w/o Norm | w/ Norm
FCN-32s: 36.6 N/A
FCN-8s: 37.8 N/A
fc7: 36.6 36.2
pool6 + fc7: 38.2 37.6
pool6 + fc7 + conv5: 39.5 39.9
pool6 + fc7 + conv5 + conv4: 36.5 40.2
pool6 + fc7 + conv5 + conv4 + conv3: 0.009 40.4*
# table5: DeepLab Baseline | w/o Norm | w/ Norm
fc7: 64.96 64.92
pool6 + fc7: 64.84 67.49*
# table6: Layers, Norm (Y/N), Early or Late (E/L) | Mean IoU
fc7, N, NA: 65.82
fc7, Y, NA: 65.66
pool6 + fc7, N, E: 65.30
pool6 + fc7, Y, E: 69.43
pool6 + fc7, Y, L: 69.55*
pool6 + fc7, N, L: 69.29
# table7: Norm | 1x1 conv | concatenate
1: 66.7 62.58
10: 58.87 69.43*
NA: 66.39 65.30
# table8: System | bkg | aero | bike | bird | boat | bottle | bus | car | cat | chair | cow | \
table | dog | horse | mbike | person | plant | sheep | sofa | train | tv | mean
FCN-8s: – 76.8 34.2 68.9 49.4 60.3 75.3 74.7 77.6 21.4 62.5 46.8 71.8 63.9 76.5 73.9 45.2 72.4 37.4 70.9 55.1 62.2
Hypercolumn: – 68.7 33.5 69.8 51.3 70.2 81.1 71.9 74.9 23.9 60.6 46.9 72.1 68.3 74.5 72.9 52.6 64.4 45.4 64.9 57.4 62.6
TTI-Zoomout-16: 89.8 81.9 35.1 78.2 57.4 56.5 80.5 74.0 79.8 22.4 69.6 53.7 74.0 76.0 76.6 68.8 44.3 70.2 40.2 68.9 55.3 64.4
DeepLab-CRF-LargeFOV: 92.6* 83.5 36.6 82.5* 62.3 66.5* 85.4 78.5 83.7 30.4* 72.9 \
60.4* 78.5* 75.5 82.1* 79.7* 58.2* 82.0* 48.8 73.7 63.3 70.3*
ParseNet Baseline: 92.3 82.6 36.1 76.1 59.3 62.3 81.6 79.5 81.4 28.1 70.0 53.0 73.2 70.6 78.8 78.6 51.9 77.4 45.5 71.7 62.6 67.3
ParseNet: 92.4 84.1* 37.0* 77.0 62.8* 64.0 85.8* 79.7* 83.7* 27.7 74.8* 57.6 77.1 78.3* 81.0 78.2 52.6 80.4 49.9* 75.7* 65.0* 69.8
# spp: Context | early | late
pool6 (1x1):
1x1 + 2x2 + 4x4:
# voc_low: Layers | early | late
pool6 + fc7:
pool6 + fc7 + conv5:
pool6 + fc7 + conv5 + conv4:
pool6 + fc7 + conv5 + conv4 + conv3:
"""
"""A table: its name, the headers of labels and columns; a line per row: its labels, and the numbers printed in it, `*` where
they are bold."""


def transcribed() -> dict[str, list[str]]:
    """The lines of each table, its headers first."""
    tables = (table.partition(": ") for table in TRANSCRIPTION.strip().removeprefix("# ").split("\n# "))
    return {name: lines.splitlines() for name, _, lines in tables}


def printed(name: str) -> list[str]:
    """A table file as the transcription above writes it."""
    spec = table_file.load(name)
    lines = [" | ".join([", ".join(spec.labels), *(column.header for column in spec.columns)]).strip()]
    for row in spec.rows:
        cells = [spec.printed(row.key, column.key) for column in spec.columns]
        lines.append(f"{', '.join(row.labels)}: {' '.join(cell.text + '*' * cell.bold for cell in cells)}".rstrip())
    return lines


def test_every_table_is_transcribed_here() -> None:
    assert sorted(transcribed()) == sorted(table_file.names("all"))


@pytest.mark.parametrize("name", transcribed())
def test_rows_columns_and_numbers_are_those_of_the_paper(name: str) -> None:
    assert printed(name) == transcribed()[name]


@pytest.mark.parametrize(
    ("row", "mean"), [("zoomout", 64.44), ("deeplab_crf", 70.34), ("baseline", 67.27), ("parsenet", 69.75)]
)
def test_the_classes_of_table_8_have_the_printed_mean(row: str, mean: float) -> None:
    spec = table_file.load("table8")
    values = [spec.printed(row, column.key).value or 0.0 for column in spec.columns if column.key != "mean"]
    assert len(values) == 21
    assert sum(values) / 21 == pytest.approx(mean, abs=0.005)


def test_the_columns_of_table_8_measure_the_classes_they_name() -> None:
    metrics = [column.metric for column in table_file.load("table8").columns]
    names = (
        "background aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person "
        "pottedplant sheep sofa train tvmonitor"
    )
    assert metrics == [f"iu[{name}]" for name in names.split()] + ["mean_iu"]


@pytest.mark.parametrize(
    ("name", "cited"),
    [
        ("table1", {"fcn32s"}),
        ("table2", {"deeplab", "deeplab_largefov"}),
        ("table3", {"fcn16s"}),
        ("table4", {"fcn8s"}),
        ("table8", {"fcn8s", "hypercolumn", "zoomout", "deeplab_crf"}),
    ],
)
def test_numbers_the_paper_quotes_from_others_are_marked(name: str, cited: set[str]) -> None:
    spec = table_file.load(name)
    assert {row.key for row in spec.rows for cell in row.paper.values() if cell.cited} == cited


def test_decimals_follow_the_printed_numbers() -> None:
    decimals = {
        name: {column.key: spec.decimals(column.key) for column in spec.columns}
        for name in ("table1", "table4", "table7", "spp")
        for spec in [table_file.load(name)]
    }
    assert decimals["table1"] == {"mean_iu": 2}, "35.1 is the only one with one decimal"
    assert decimals["table4"] == {"raw": 1, "norm": 1}, "0.009 is the only one with three decimals"
    assert decimals["table7"] == {"mix1x1": 2, "concat": 2}
    assert decimals["spp"] == {"early": 2, "late": 2}
