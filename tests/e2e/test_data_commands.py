"""`parsenet data get | check | list` as users call them, and runs on what they prepare."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import pytest

from parsenet_cli.core.text import silent
from parsenet_cli.data.download.prepare import prepare_release
from parsenet_cli.data.releases import names
from tests import published_archives as small
from tests.conftest import PATIENCE_SECONDS, Cli, Start, wait_for
from tests.faulty_server import Faults


def prepare(archives: Path, home: Path, *releases: str) -> None:
    for name in releases:
        prepare_release(small.small(name, archives), home, [archives], None, silent)


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        (("voc13",), ["unknown data set 'voc13'. Did you mean 'voc12'?"]),
        (("voc12", "--from", "/nowhere.tar"), ["--from /nowhere.tar: no such file"]),
        (
            ("voc12", "--mirror", "URL/missing"),
            ["VOCtrainval_11-May-2012.tar could not be downloaded", "404", "--from"],
        ),
        (("voc12", "--mirror", "URL/good"), ["its checksum is md5:", "expected md5:6cd6e144f989b92b3379bac3b3de84fd"]),
        (("voc12", "--from", "ARCHIVES"), ["VOCtrainval_11-May-2012.tar: its checksum is md5:", "expected md5:6cd6"]),
        (("siftflow", "--mirror", "URL/good"), ["2 ids in the list 'train', expected 2486", "'test', expected 200"]),
    ],
)
def test_what_cannot_be_had_is_explained(
    cli: Cli, results: Path, archives: Path, server: Faults, arguments: tuple[str, ...], messages: list[str]
) -> None:
    typed = [text.replace("URL", server.url).replace("ARCHIVES", str(archives)) for text in arguments]
    done = cli("data", "get", *typed, code=2)
    for message in messages:
        assert message in done.stderr
    assert not any((results / "data" / name).exists() for name in names())


def test_ctrl_c_keeps_what_has_arrived(cli: Cli, start: Start, results: Path, archives: Path, server: Faults) -> None:
    part = results / "data" / "archives" / "VOCtrainval_11-May-2012.tar.part"
    half = (archives / "VOCtrainval_11-May-2012.tar").stat().st_size // 2
    running = start("data", "get", "voc12", "--mirror", f"{server.url}/hangs")
    wait_for(lambda: part.is_file() and part.stat().st_size == half, "half of the archive", 60)
    running.send_signal(signal.SIGINT)
    _, printed = running.communicate(timeout=PATIENCE_SECONDS)
    assert running.returncode == 130
    assert "Traceback" not in printed
    assert part.stat().st_size == half
    cli("data", "get", "voc12", "--mirror", f"{server.url}/good", code=2)
    assert server.requests["good"][0] == f"bytes={half}-"


def test_prepared_data_are_listed_and_found_by_every_run_of_the_paper(cli: Cli, results: Path, archives: Path) -> None:
    prepare(archives, results / "data", *names())
    listed = cli("data", "list").stdout
    assert listed.count("ready") == len(names())
    assert "train 2, val 1" in listed
    assert (
        "\n  voc12: https://thor.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar (reported working 2026-03"
        in listed
    )
    again = cli("data", "get", "voc12").stdout
    assert "train_aug 5, trainval 4, trainval_aug 7, val 2" in again
    assert "--from VOC2012test.tar" in again
    cli("plan", "all", "--profile", "paper")


def test_another_home_can_be_named_by_the_environment(
    cli: Cli, archives: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = cli("plan", "table3", "--profile", "paper").stdout
    assert "not here: data=siftflow: `parsenet data get siftflow`" in without
    prepare(archives, tmp_path / "shared", "siftflow")
    monkeypatch.setenv("PARSENET_DATA", str(tmp_path / "shared"))
    assert "not here: data=" not in cli("plan", "table3", "--profile", "paper").stdout
    cli("plan", "table3", "--profile", "paper", "data_root=/nowhere", code=2)


def test_paper_is_planned_in_an_empty_folder(
    cli: Cli, results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (results / "cache").unlink()
    results.rmdir()
    monkeypatch.delenv("PARSENET_DATA", raising=False)
    told = cli("plan", "all", "--profile", "paper").stdout
    cells, runs = map(int, re.findall(r"(\d+) cells, (\d+) distinct runs, 0 done", told)[0])
    quick = json.loads(cli("plan", "all", "--json").stdout)
    assert (cells, runs) == (len(quick["cells"]), quick["runs"])
    assert int(re.findall(r"to do: (\d+) steps", told)[0]) >= 80_000 * runs
    for name in ("voc12", "pascal_context", "siftflow"):
        assert f"not here: data={name}: `parsenet data get {name}` (about " in told
    assert re.search(r"disk: .* GB of results; about 1\d\.\d GB in the cache", told)
    written = [file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*") if file.is_file()]
    assert written == ["results/cache/composed.json"], "what was composed is remembered, and nothing else"
    assert "run `parsenet data get" in cli("ablate", "table3", "--profile", "paper", code=2).stderr


def test_a_run_trains_on_what_was_prepared_and_check_compares_with_the_official_numbers(
    cli: Cli, results: Path, archives: Path
) -> None:
    assert "`parsenet data get voc12` fetches it" in cli("data", "check", "voc12", code=2).stderr
    prepare(archives, results / "data", "voc12")
    cli("train", "--profile", "paper", "trunk=vgg_tiny", "weights=none", "recipe.iterations=2", "mix_width=32")
    problems = cli("data", "check", "voc12", code=2).stderr
    assert "train_aug.txt: 5 ids in the list 'train_aug', expected 10582" in problems
    assert "issue `parsenet data get voc12` again" in problems


def test_check_of_a_folder_of_photos(cli: Cli, archives: Path, tmp_path: Path) -> None:
    prepare(archives, tmp_path, "voc12")
    photos = tmp_path / "voc12" / "VOCdevkit" / "VOC2012"
    (photos / "classes.txt").write_text("background\nthing\nother\n")
    assert re.search(r"7 \w+ with labels", cli("data", "check", photos).stdout)
    (photos / "JPEGImages" / "2008_000002.jpg").write_bytes(b"torn")
    problems = cli("data", "check", photos, code=2).stderr
    assert "1 problem\n" in problems
    assert "2008_000002.jpg: not a complete" in problems


@pytest.mark.skipif("PARSENET_PHOTOS" not in os.environ, reason="PARSENET_PHOTOS does not name a folder of photos")
def test_real_photos_pass_their_check(cli: Cli) -> None:
    assert "train 437, trainaug 1432" in cli("data", "check", os.environ["PARSENET_PHOTOS"]).stdout
