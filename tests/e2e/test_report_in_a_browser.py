"""The report in headless Chromium, at the width of a desktop and of a phone, bright and dark: no error, no request."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from parsenet_cli.report.build import build_report
from parsenet_cli.store.run import Store
from tests import made_store
from tests.conftest import PATIENCE_SECONDS

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium here (Debian: apt-get install chromium)")

NARROWEST_WINDOW = 500
"""Chromium makes no window narrower than this; a phone is a frame inside it."""

BROWSERS_OWN = ("google", "gvt1.com")
"""Whom Chromium asks for itself, whatever the page: updates, dictionaries."""

DARK = "--blink-settings=preferredColorScheme=0"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = made_store.add_two_tables(Store(tmp_path_factory.mktemp("made")))
    return build_report(store, None, store.root / "report").files[0]


def browse(page: Path, *options: str) -> str:
    """Open a page where no network is to be had; returns the browser's log."""
    assert CHROMIUM is not None
    net_log = page.with_name("net.json")
    command = [
        CHROMIUM,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={page.parent / 'profile'}",
    ]
    command += ["--no-first-run", "--disable-background-networking", "--proxy-server=127.0.0.1:9", "--hide-scrollbars"]
    command += ["--enable-logging=stderr", f"--log-net-log={net_log}", *options, page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True)
    return done.stdout + done.stderr


def complaints(log: str) -> list[str]:
    """What pages wrote to the console: errors, and what their policy refused."""
    return [line for line in log.splitlines() if "CONSOLE" in line]


def requested(page: Path) -> set[str]:
    """Addresses in the network that were asked for, but for the browser's own."""
    text = page.with_name("net.json").read_text()
    found = re.findall(r'"url":"(https?://[^"]+)"', text)
    return {url for url in found if not any(own in url for own in BROWSERS_OWN)}


def framed(report: Path, width: int, folder: Path) -> Path:
    """A page that shows the report in a frame of a phone's width."""
    page = folder / "frame.html"
    page.write_text(
        f"<body style='margin:0'><iframe src='{report.as_uri()}' style='border:0;width:{width}px;height:4000px'>"
    )
    return page


@pytest.mark.parametrize("options", [[], [DARK]], ids=["bright", "dark"])
@pytest.mark.parametrize("width", [1280, 375])
def test_page_opens_without_errors_and_without_requests(
    report: Path, tmp_path: Path, width: int, options: list[str]
) -> None:
    page = framed(report, width, tmp_path) if width < NARROWEST_WINDOW else tmp_path / shutil.copy(report, tmp_path)
    picture = tmp_path / "page.png"
    log = browse(page, f"--window-size={max(width, NARROWEST_WINDOW)},4000", f"--screenshot={picture}", *options)
    assert complaints(log) == []
    assert requested(page) == set()
    with Image.open(picture) as shot:
        seen = shot.convert("L").crop((0, 0, width, 4000))
        corner = seen.getpixel((2, 2))
        assert isinstance(corner, int)
        assert (corner < 60) == bool(options)
        assert len(seen.getcolors(256) or []) > 50


def test_refused_script_would_be_noticed(report: Path, tmp_path: Path) -> None:
    """The test above can fail: a page with a foreign script and picture is complained of and asks for them."""
    page = tmp_path / "bad.html"
    foreign = "<img src='http://pictures.test/x.png'><script>console.error('seen')</script>"
    page.write_text(report.read_text().replace("<main>", f"<main>{foreign}"))
    assert complaints(browse(page, f"--screenshot={tmp_path / 'bad.png'}")) != []
    page.write_text(f"<!doctype html>{foreign}")
    assert any("seen" in line for line in complaints(browse(page, f"--screenshot={tmp_path / 'bad.png'}")))
    assert requested(page) == {"http://pictures.test/x.png"}


def test_only_tables_scroll_sideways_on_a_phone(report: Path, tmp_path: Path) -> None:
    """The page itself is as wide as the phone; what is wider lies in a box of its own."""
    says = "parent.postMessage([document.documentElement.scrollWidth, innerWidth].join(), '*')"
    inner, page = tmp_path / "inner.html", tmp_path / "outer.html"
    free = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", report.read_text())
    inner.write_text(free.replace("</body>", f"<script>{says}</script></body>"))
    listens = "addEventListener('message', e => answer.textContent = `widths ${e.data}`)"
    frame = f"<iframe src='{inner.as_uri()}' style='border:0;width:375px;height:800px'></iframe>"
    page.write_text(f"<!doctype html><p id=answer></p><script>{listens}</script>{frame}")
    found = re.search(r"widths (\d+),(\d+)", browse(page, "--dump-dom", "--virtual-time-budget=5000"))
    assert found
    assert found[1] == found[2] == "375"


def test_page_prints_with_everything_unfolded(report: Path, tmp_path: Path) -> None:
    file = tmp_path / "page.pdf"
    page = Path(shutil.copy(report, tmp_path))
    assert complaints(browse(page, "--no-pdf-header-footer", f"--print-to-pdf={file}")) == []
    assert file.read_bytes().startswith(b"%PDF")
    reader = shutil.which("pdftotext")
    if reader is None:
        pytest.skip("there is no pdftotext here to read what was printed")
    text = subprocess.run([reader, "-layout", str(file), "-"], capture_output=True, text=True, check=True).stdout
    assert "How each number was made" in text
    assert "seed 2: " in text
