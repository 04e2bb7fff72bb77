"""What a report says it does not hold it does not hold: where things lie, and what folders, users and hosts are called."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsenet_cli.report import redact
from parsenet_cli.report.collect import collect_input
from parsenet_cli.report.redact import Private, redact_paths
from parsenet_cli.store.run import Run, Store
from tests import made_store


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("data_root=/data/sets/voc", "data_root=…/voc"),
        ("'/home/ann/x/y.pt' is gone", "'…/y.pt' is gone"),
        ("weights=/mnt/root/w.pt", "weights=…/w.pt"),
        ("in /home/ann", "in …"),
        ("in /home/ann/ now", "in … now"),
        (r"C:\Users\ann\w.pt", "…/w.pt"),
        (r"at C:\Users\ann", "at …"),
        (r"\\server\share\ann\w.pt", "…/w.pt"),
        ("D:/Photos of Ann/w.pt", "…/w.pt"),
        ("no ../alice/voc here", "no …/voc here"),
        (r"no ..\alice\voc here", "no …/voc here"),
        ("results/../../alice/voc", "results/…/voc"),
        ("~alice/voc, and ~alice", "…/voc, and …"),
        ("~/voc", "…/voc"),
        ("error:/data/alice/voc", "error:…/voc"),
        ("file:///data/alice/voc", "…/voc"),
        ("'/data/My Photos/it's/voc' is gone", "'…/voc' is gone"),
        (
            "/data/My Photos (2024)/a, b/voc: no such folder; expected w/o Norm",
            "…/voc: no such folder; expected w/o Norm",
        ),
        ("data_root='/data/My Photos/voc' weights=/w/x.pt a/b", "data_root='…/voc' weights=…/b"),
        ("from /a/b to /c/d", "from …/b to …/d"),
        ("s3://bucket/alice/x", "s3:…/x"),
        ("w/ Norm and/or 1/8 of https://example.org/a/b", "w/ Norm and/or 1/8 of https://example.org/a/b"),
        ("w/o Norm, n/a, 4/5, a/b, mean / max, 3 of 4/5", "w/o Norm, n/a, 4/5, a/b, mean / max, 3 of 4/5"),
        ("see http://arxiv.org/abs/1506.04579 and /a/b", "see http://arxiv.org/abs/1506.04579 and …/b"),
        ("results/runs/x", "results/runs/x"),
        ("/rootfs", "/rootfs"),
        ("~5 % of .../x", "~5 % of .../x"),
        (r"a \u001b and \\frac", r"a \u001b and \\frac"),
    ],
)
def test_paths_keep_their_last_name_alone(text: str, shown: str) -> None:
    assert redact_paths(text) == shown


NAMES = st.text("SECRET éß日'\"()!&,.-_ ", min_size=1, max_size=8).map(lambda name: f"SECRET{name}SECRET")
BEGINS = st.sampled_from(
    ["/", "/data/", "../", "../../", "~SECRETuser/", "~/", "file:///", "C:\\", "D:/", "/home/SECRET/", "//nas/"]
)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(
        [
            "",
            "in ",
            "data_root=",
            "error:",
            "error: ",
            "'",
            '"',
            "(",
            "[Errno 2] No such file: '",
            "PATH=/b:",
        ]
    ),
    BEGINS,
    st.lists(NAMES, min_size=1, max_size=4),
    st.sampled_from(["", " is gone", ": no such file", "'", ", w/o Norm", "; a/b", "\n"]),
)
def test_no_folder_of_a_path_is_told(before: str, begins: str, folders: list[str], after: str) -> None:
    separator = "\\" if begins.endswith("\\") else "/"
    shown = redact_paths(f"{before}{begins}{separator.join([*folders, 'x.pt'])}{after}")
    assert "SECRET" not in shown
    assert "x.pt" in shown or "/" in after
    assert redact_paths(shown) == shown


@settings(max_examples=100, deadline=None)
@given(
    st.text(min_size=1, max_size=12).filter(lambda name: "/" not in name and name.strip(".\0\ue000…")),
    st.text("ab /:'", max_size=6),
)
def test_known_folder_is_not_told_whatever_it_is_called(name: str, after: str) -> None:
    """Blanks, colons, quotes, line breaks: it is known as it is."""
    known = Private(frozenset({f"/secret{name}/in"}), frozenset({f"/folk/secret{name}"}), frozenset())
    for text in (f"no /secret{name}/in/x.pt{after}", f"no /folk/secret{name}/x.pt", f"no /folk/secret{name}"):
        assert "secret" not in known.text(text)


WORDS = [
    "w/",
    "w/o",
    "a/b",
    "n/a",
    "and/or",
    "4/5",
    "mean",
    "/",
    "fc7",
    "https://example.org/a/b?c=/d",
    "1/8.",
    "(a/b)",
    "[a]/[b]",
    "5 %/s",
]


@given(st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join))
def test_what_is_no_path_stays(text: str) -> None:
    assert redact_paths(text) == text


def test_error_of_a_run_is_told_without_users_and_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "ann")
    monkeypatch.setattr("socket.gethostname", lambda: "node7.lab.example")
    here = redact.of_this_machine()
    assert (
        here.error("ann@node7: no space for ann on node7.lab.example; annotations stay")
        == "…@…: no space for … on …; annotations stay"
    )


def test_report_knows_the_folders_of_its_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "of: ann/re sults")
    one = made_store.add_table(store, "table4", (0,))
    run = store.run(one.signatures[0])
    run.result_file.unlink()
    secret = tmp_path / "se: cret"
    run.update_status(state="failed", error=f"{secret}/voc/x.jpg: lost on far7 by {store.root}/y", host="far7")
    config = run.config()
    runtime = config.runtime.model_copy(update={"data_root": f"{secret}/voc"})
    monkeypatch.setattr(Run, "config", lambda _: config.model_copy(update={"runtime": runtime}))
    private = redact.of_report(collect_input(store, None))
    assert private.error(run.status().error) == "…/x.jpg: lost on … by …/y"
