"""Results folders that somebody else has written: their JSON, arrays, configurations, and what stands in place of files."""

from __future__ import annotations

import io
import json
import os
import random
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tests.hostile.base import Base, Place, sealed, unsealed
from tests.hostile.corpus import commands
from tests.hostile.corpus.commands import over
from tests.hostile.corpus.json_shapes import DEEP, NAMES, STEERING, TEXTS, VALUES, paths, replaced
from tests.hostile.drivers import Case, Make

File = Callable[[Place], Path]
Group = Callable[[Base, int], Iterator[Case]]

# --- JSON ------------------------------------------------------------------------------------------------------------------

RUN_FILES: dict[str, tuple[File, tuple[str, ...], int]] = {
    "result": (lambda place: place.run.result_file, (*commands.LOOK, *commands.STUDY, "figure-context", "predict"), 2),
    "status": (
        lambda place: place.run.folder / "status.json",
        ("status", "status-json", "show", "show-json", "report"),
        2,
    ),
    "failed-status": (
        lambda place: place.store.run(place.known["failed"]).folder / "status.json",
        ("status", "status-json", "show-failed", "cancel-all", "clean", "table", "report", "verify-all"),
        2,
    ),
    "queued-job": (
        lambda place: place.store.run(place.known["queued"]).folder / "job.json",
        ("status", "cancel", "cancel-all", "clean", "status-json"),
        1,
    ),
    "queued-preparing": (
        lambda place: place.store.run(place.known["queued"]).folder / "preparing-data.json",
        ("status", "status-json", "cancel-all", "clean"),
        1,
    ),
    "environment": (
        lambda place: place.run.environment_file,
        ("show", "show-json", "report", "verify", "verify-md"),
        2,
    ),
    "study": (
        lambda place: place.study_file,
        (*commands.STUDY, "figure-context", "clean", "cancel-all", "export-out"),
        2,
    ),
    "figure": (
        lambda place: next((place.store.figures / "curves").glob("*.json")),
        ("report", "verify-all", "figure-curves", "verify-md"),
        1,
    ),
    "figure-context": (
        lambda place: next((place.store.figures / "context").glob("*.json")),
        ("report", "verify-all", "figure-context", "verify-json"),
        1,
    ),
    "composed": (
        lambda place: place.store.cache / "composed.json",
        ("plan", "plan-json", "network", "train", "ablate", "sweep", "keep"),
        2,
    ),
    "fingerprints": (lambda place: next((place.store.cache / "fingerprints").glob("*.json")), ("plan", "train"), 1),
    "decoded": (lambda place: next((place.store.cache / "decoded").glob("*train*.json")), ("train", "plan"), 1),
}
"""Where each kind of JSON file lies, the commands that read it, and how many of them meet every variant."""


def _write(place: Place, file: File, content: bytes) -> None:
    file(place).write_bytes(content)


def _with_text(place: Place, file: File, text: str) -> None:
    _write(place, file, TEXTS[text](unsealed(file(place))))


def _with_value(place: Place, file: File, path: tuple[str | int, ...], value: Any) -> None:
    content = replaced(unsealed(file(place)), path, value)
    try:
        _write(place, file, sealed(content))
    except UnicodeEncodeError:
        _write(place, file, json.dumps(content).encode(errors="surrogatepass"))


def json_texts(base: Base, seed: int, kind: str) -> Iterator[Case]:
    """A whole file of another shape."""
    file, readers, each = RUN_FILES[kind]
    yield from over(
        seed, {f"{kind}.json={text}": partial(_with_text, file=file, text=text) for text in TEXTS}, readers, each
    )


MOST_PLACES = 12
"""Of a depth, in a file."""


def json_values(base: Base, seed: int, kind: str) -> Iterator[Case]:
    """A file in which one value is another, or not there: some values for each of some places."""
    file, readers, _ = RUN_FILES[kind]
    chooser = random.Random(f"{seed} {kind}")
    things: dict[str, Make] = {}
    found: dict[int, list[tuple[str | int, ...]]] = {}
    for path in paths(unsealed(file(base.place))):
        found.setdefault(len(path), []).append(path)
    for depth, places in found.items():
        chosen = places if len(places) <= MOST_PLACES else chooser.sample(places, MOST_PLACES)
        for path in chosen:
            for name, value in [("absent", ...), *chooser.sample(sorted(VALUES.items()), 5 if depth == 1 else 1)]:
                thing = f"{kind}.json-{'.'.join(map(str, path))}={name}"
                things[thing] = partial(_with_value, file=file, path=path, value=value)
    yield from over(seed, things, readers, 1)


# --- metrics.jsonl ---------------------------------------------------------------------------------------------------------

LINES: dict[str, bytes] = {
    "empty": b"",
    "no-newline": b'{"iteration": 1, "loss": 1}',
    "null": b"null\n" * 3,
    "deep": b"[" * DEEP + b"\n",
    "loss-text": b'{"iteration": 1, "loss": "<b>[/b]"}\n',
    "loss-null": b'{"iteration": 1, "loss": null, "lr": null, "seconds": null}\n',
    "loss-list": b'{"iteration": 1, "loss": [1], "lr": {}, "seconds": "x"}\n',
    "loss-huge": b'{"iteration": 1, "loss": ' + b"9" * 400 + b"}\n",
    "loss-infinite": b'{"iteration": 1, "loss": 1e999, "lr": -1e999}\n',
    "loss-nan": b'{"iteration": 1, "loss": NaN}\n',
    "iteration-only": b'{"iteration": 1}\n',
    "iteration-minus": b'{"iteration": -5, "loss": 1}\n{"iteration": -5, "loss": 2}\n',
    "iteration-huge": b'{"iteration": ' + b"9" * 4000 + b', "loss": 1}\n',
    "iteration-true": b'{"iteration": true, "loss": 1, "lr": 1, "seconds": 1}\n',
    "unordered": b'{"iteration": 9, "loss": 1}\n{"iteration": 2, "loss": 2}\n',
    "key-steers": json.dumps({"iteration": 1, "loss": 1.0, STEERING: 2.0}).encode() + b"\n",
    "many": b'{"iteration": 1, "loss": 1.5}\n' * 20_000,
    "latin-1": '{"iteration": 1, "loss": 1, "é": 2}\n'.encode("latin-1"),
    "binary": bytes(range(256)) * 100,
}


def metrics_lines(base: Base, seed: int) -> Iterator[Case]:
    """What a training has said, otherwise."""
    things = {
        f"metrics.jsonl={name}": partial(_write, file=lambda place: place.run.metrics_file, content=content)
        for name, content in LINES.items()
    }
    readers = ("report", "export-csv", "export-tensorboard", "figure-curves", "show", "status")
    yield from over(seed, things, readers, 3)


# --- arrays ----------------------------------------------------------------------------------------------------------------


def _npz(**arrays: Any) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def _members(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _header(shape: str, kind: str = "<i4", more: bytes = b"") -> bytes:
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (63 - (len(text) + 10) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + more


class _Code:
    """What makes a file when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch ran-pickle",)


def _other_arrays(arrays: dict[str, Any]) -> dict[str, bytes]:
    """For one archive of arrays, others: every array changed in the same way, or bytes that are no such archive."""

    def each(change: Callable[[Any], Any]) -> bytes:
        return _npz(**{name: change(array) for name, array in arrays.items()})

    first = next(iter(arrays))
    return {
        "scalar": each(lambda a: np.array(5)),
        "strings": each(lambda a: np.full(a.shape, "a")),
        "steering": each(lambda a: np.full(a.shape, STEERING.replace("\0", ""))),
        "bytes": each(lambda a: np.full(a.shape, b"a")),
        "empty": each(lambda a: np.zeros((0,) * max(1, a.ndim), a.dtype)),
        "nan": each(lambda a: np.full(a.shape, np.nan)),
        "infinite": each(lambda a: np.full(a.shape, np.inf, np.float32)),
        "minus": each(lambda a: np.full(a.shape, -7)),
        "large": each(lambda a: np.full(a.shape, 2**62)),
        "bool": each(lambda a: np.ones(a.shape, bool)),
        "complex": each(lambda a: np.ones(a.shape, complex)),
        "dates": each(lambda a: np.full(a.shape, np.datetime64("2020-01-01"))),
        "records": each(lambda a: np.zeros(a.shape, [("x", "<i4"), ("y", "<f8")])),
        "flat": each(np.ravel),
        "one-more": each(lambda a: a[None]),
        "shorter": each(lambda a: a[:1]),
        "longer": each(lambda a: np.concatenate([a, a])),
        "cut-sides": each(lambda a: a[..., :2]),
        "zeros": each(lambda a: np.zeros(a.shape, a.dtype) if a.dtype.kind != "U" else a),
        "big-endian": each(lambda a: a.astype(a.dtype.newbyteorder(">"))),
        "fortran": each(lambda a: np.asfortranarray(a)),
        "pickles": each(lambda a: np.array([_Code()], dtype=object)),
        "none": _npz(),
        "other-name": _npz(**{"other": arrays[first]}),
        "name-up": _npz(**{**arrays, "../../../home/up": arrays[first]}),
        "name-steers": _npz(**{**arrays, "a\x1b]0;x\x07": arrays[first]}),
        "header-lies": _members(**{f"{name}.npy": _header("(1000000, 1000000)") for name in arrays}),
        "header-minus": _members(**{f"{name}.npy": _header("(-1,)") for name in arrays}),
        "header-huge": _members(**{f"{name}.npy": _header(f"({'9' * 400},)") for name in arrays}),
        "header-zero": _members(**{f"{name}.npy": _header(f"(0, {2**62}, {2**62})") for name in arrays}),
        "header-deep": _members(**{f"{name}.npy": _header("(" * 5000) for name in arrays}),
        "header-code": _members(
            **{f"{name}.npy": _header("__import__('os').system('touch ran-header')") for name in arrays}
        ),
        "header-object": _members(
            **{f"{name}.npy": _header("(1,)", "|O", b"cos\nsystem\n(S'touch ran-raw'\ntR.") for name in arrays}
        ),
        "bomb": _members(
            **{f"{name}.npy": _header("(200000000,)", "|u1", bytes(200_000_000)) for name in list(arrays)[:1]}
        ),
        "no-zip": b"not a zip",
        "empty-file": b"",
        "cut": each(lambda a: a)[:-30],
        "end-only": b"PK\x05\x06" + bytes(18),
    }


ARRAYS: dict[str, tuple[File, tuple[str, ...]]] = {
    "confusion": (
        lambda place: place.run.confusions_file,
        ("verify", "verify-json", "report", "figure-context", "figure-table", "table", "export-csv"),
    ),
    "predictions": (lambda place: place.run.predictions_file, ("report", "figure-context", "show")),
    "samples": (lambda place: next((place.results / "samples").glob("*.npz")), ("report", "figure-context")),
}


def _with_arrays(place: Place, file: File, content: bytes) -> None:
    """The result names the checksum of these: whoever changes them writes that too."""
    from parsenet_cli.core.sealed import crc32_of

    _write(place, file, content)
    result = unsealed(place.run.result_file)
    if file(place).name in result["files"]:
        result["files"][file(place).name] = crc32_of(file(place))
        place.run.result_file.write_bytes(sealed(result))


def arrays(base: Base, seed: int, kind: str) -> Iterator[Case]:
    """Arrays of other shapes and kinds, and files that hold none."""
    file, readers = ARRAYS[kind]
    with np.load(file(base.place)) as stored:
        others = _other_arrays(dict(stored))
    things = {
        f"{kind}.npz={name}": partial(_with_arrays, file=file, content=content) for name, content in others.items()
    }
    yield from over(seed, things, readers, 2)


# --- config.yaml -----------------------------------------------------------------------------------------------------------

_LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10)
)


def _configured(place: Place, change: Callable[[str], str | bytes]) -> None:
    file = place.run.config_file
    changed = change(file.read_text())
    file.write_bytes(changed.encode(errors="surrogateescape") if isinstance(changed, str) else changed)


def _value(key: str, value: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        lines = [
            f"{line.partition(':')[0]}: {value}" if line.split(":")[0].strip() == key else line
            for line in text.splitlines()
        ]
        return "\n".join(lines)

    return change


CONFIGURATIONS: dict[str, Callable[[str], str | bytes]] = {
    "empty": lambda _: "",
    "null": lambda _: "null",
    "list": lambda _: "[1, 2]",
    "text": lambda _: "text",
    "laughs": lambda text: _LAUGHS + text,
    "laughs-in-science": lambda _: _LAUGHS + "science: *a9\nruntime: *a9\n",
    "deep": lambda _: "[" * DEEP,
    "deep-blocks": lambda _: "".join(f"{' ' * i}a:\n" for i in range(500)),
    "tag": lambda _: "science: !!python/object/apply:os.system ['touch ran-yaml']\n",
    "tag-new": lambda _: "science: !!python/object/new:os.system ['touch ran-yaml']\n",
    "tag-unknown": lambda _: "science: !mine {a: 1}\n",
    "latin-1": lambda text: f"{text}\n# é\n".encode("latin-1"),
    "utf-16": lambda text: text.encode("utf-16"),
    "bom": lambda text: b"\xef\xbb\xbf" + text.encode(),
    "nul": lambda text: text + "\0",
    "documents": lambda text: f"{text}\n---\n{text}",
    "twice": lambda text: f"{text}\n{text}",
    "anchor-itself": lambda _: "science: &a {a: *a}\n",
    "merge": lambda text: f"<<: {{science: 1}}\n{text}",
    "interpolation": _value("data_root", "${oc.env:HOME}"),
    "no-science": lambda text: text[text.index("runtime:") :],
    "key-more": lambda text: text + "more: 1\n",
    "key-null": lambda text: text + "? null\n: 1\n",
    "key-list": lambda text: text + "? [a, b]\n: 1\n",
    "binary": lambda _: bytes(range(256)),
    "long": lambda text: f"# {'x' * 2_000_000}\n{text}",
    **{f"micro_batch={value}": _value("micro_batch", value) for value in ("-1", "0", "x", "1e9", "99999999999999999999")},
    **{f"threads={value}": _value("threads", value) for value in ("-1", "0", "1000000")},
    **{f"checkpoint_seconds={value}": _value("checkpoint_seconds", value) for value in ("-1", ".nan", ".inf")},
    **{f"device={value}": _value("device", value) for value in ("cuda", "[]", "'$(touch ran-device)'")},
    **{f"weights_file={value}": _value("weights_file", value) for value in ("/etc/passwd", "../../home/thesis.txt", "5")},
    **{f"data_root={value}": _value("data_root", value) for value in ("/proc/self", "'a\\x1bb'", "5", "'~nosuchuser/x'")},
    **{f"seed={value}": _value("seed", value) for value in ("-1", "1e300", "20261124061500")},
    **{f"mix_width={value}": _value("mix_width", value) for value in ("-1", "0", "100000000")},
    **{f"lr={value}": _value("lr", value) for value in (".nan", "-1", "1e400")},
    **{f"data={value}": _value("data", value) for value in ("../x", "os", "'[/b]'")},
}  # fmt: skip


def configurations(base: Base, seed: int) -> Iterator[Case]:
    """A run's frozen configuration, otherwise."""
    things = {f"config.yaml={name}": partial(_configured, change=change) for name, change in CONFIGURATIONS.items()}
    readers = (
        "show",
        "show-all",
        "show-json",
        "diff",
        "status",
        "report",
        "clean",
        "export-tensorboard",
        "predict",
        "keep",
        "submit",
        "cancel-all",
    )
    yield from over(seed, things, readers, 2)


# --- names -----------------------------------------------------------------------------------------------------------------


def _named_entry(place: Place, name: str, where: str) -> None:
    """An entry of a folder of the store, with a name that no command would give."""
    folder = place.results / where
    with suppress(OSError, ValueError):  # no file can have that name: what is left is a store like any other
        if where == "runs":
            (folder / name).mkdir()
            (folder / name / "config.yaml").write_bytes(place.run.config_file.read_bytes())
            (folder / name / "status.json").write_bytes(
                sealed({"state": "failed", "error": name.encode("ascii", "replace").decode()})
            )
        else:
            (folder / f"{name}.json").write_bytes(place.study_file.read_bytes())


def names(base: Base, seed: int) -> Iterator[Case]:
    """Runs and studies with names of all kinds."""
    usable = {name: text for name, text in NAMES.items() if name not in ("up", "absolute", "dots", "empty", "nul")}
    usable |= {
        "not-utf-8": "a\udcff\udcfe",
        "255-bytes": "n" * 250,
        "percent": "%s%n{0}",
        "tab": "a\tb",
        "dot": ".hidden",
    }
    for where, readers in {
        "runs": commands.LOOK,
        "studies": ("status", "table", "verify-all", "report", "export-csv"),
    }.items():
        things = {f"{where}/{name}": partial(_named_entry, name=text, where=where) for name, text in usable.items()}
        yield from over(seed, things, readers, 3)


# --- links, pipes, folders in place of files -------------------------------------------------------------------------------


def instead(place: Place, where: str, kind: str) -> None:
    """Put something else where a file or folder of the store lies, or would be made."""
    entry = place.results / where.format(
        run=place.run.signature, failed=place.known["failed"], queued=place.known["queued"], study=place.known["study"]
    )
    was_folder = entry.is_dir() and not entry.is_symlink()
    content = entry.read_bytes() if entry.is_file() else b""
    if was_folder:
        entry.rename(place.home / "was-here")
    else:
        entry.unlink(missing_ok=True)
        entry.parent.mkdir(parents=True, exist_ok=True)
    match kind:
        case "link":  # to a file of the victim, or to the folder as it was
            entry.symlink_to(place.home / ("was-here" if was_folder else "thesis.txt"))
        case "link-same":  # to what was there, elsewhere
            (place.home / "same").write_bytes(content)
            entry.symlink_to(place.home / "same")
        case "link-folder":
            entry.symlink_to(place.home)
        case "dangling":
            entry.symlink_to(place.home / "made-here")
        case "loop":
            entry.symlink_to(entry.name)
        case "hard":
            os.link(place.home / "thesis.txt", entry)
        case "fifo":
            os.mkfifo(entry)
        case "folder":
            (entry / "inner").mkdir(parents=True)
        case "file":
            entry.write_bytes(b"a file")
        case "device":
            entry.symlink_to("/dev/zero")


RUN_ENTRIES = (
    *("lock", "log.txt", "result.json", "status.json", "config.yaml", "env.json", "metrics.jsonl", "confusion.npz"),
    *("predictions.npz", "model.safetensors", "checkpoint.pt", "cancelled", "job.json", "preparing-data.json"),
)
KINDS = ("link", "link-same", "link-folder", "dangling", "loop", "hard", "fifo", "folder", "device")
FOLDER_KINDS = ("link", "link-folder", "dangling", "loop", "fifo", "file", "device")
READERS_OF_RUNS = (
    "status",
    "show",
    "table",
    "verify",
    "report",
    "export-csv",
    "cancel-all",
    "clean",
    "clean-results",
    "predict",
    "diff",
)


def run_entries(base: Base, seed: int) -> Iterator[Case]:
    """Something else in place of a run's file: of a finished run, and of a failed one, which may be removed."""
    for owner in ("run", "failed", "queued"):
        entries = (
            RUN_ENTRIES
            if owner == "run"
            else ("lock", "log.txt", "status.json", "cancelled", "checkpoint.pt", "job.json")
        )
        things = {
            f"{owner}/{entry}={kind}": partial(instead, where=f"runs/{{{owner}}}/{entry}", kind=kind)
            for entry in entries
            for kind in KINDS
        }
        yield from over(seed, things, READERS_OF_RUNS, 1)
    things = {f"run={kind}": partial(instead, where="runs/{run}", kind=kind) for kind in FOLDER_KINDS}
    things |= {f"failed={kind}": partial(instead, where="runs/{failed}", kind=kind) for kind in FOLDER_KINDS}
    things |= {f"runs={kind}": partial(instead, where="runs", kind=kind) for kind in FOLDER_KINDS}
    yield from over(seed, things, READERS_OF_RUNS, 4)


OUTPUTS: dict[str, tuple[str, ...]] = {
    "studies": ("status", "table", "verify-all", "report", "export-csv"),
    "studies/{study}.json": ("table", "verify", "report", "status"),
    "samples": ("report", "figure-context"),
    "cache": ("clean", "plan", "network", "weights-list"),
    "cache/composed.json": ("plan", "network", "clean"),
    "cache/weights": ("weights-list", "clean"),
    "figures": ("figure-curves", "report", "verify-all"),
    "figures/curves": ("figure-curves", "report"),
    "figures/curves/{study}.json": ("figure-curves", "report"),
    "figures/curves-own.png": ("figure-curves", "figure-curves"),
    "figures/context-own.pdf": ("figure-context",),
    "figures/table-own.png": ("figure-table",),
    "export": ("export-csv", "export-tensorboard"),
    "export/csv": ("export-csv",),
    "export/csv/tables.csv": ("export-csv",),
    "export/csv/curves.csv": ("export-csv",),
    "export/tensorboard": ("export-tensorboard",),
    "export/tensorboard/quick": ("export-tensorboard",),
    "export/tensorboard/quick/own": ("export-tensorboard",),
    "export/tensorboard/quick/own/fc7.raw": ("export-tensorboard",),
    "export/tensorboard/quick/own/fc7.raw/seed0/events.out.tfevents.0.parsenet": ("export-tensorboard",),
    "report": ("report",),
    "report/index.html": ("report",),
    "report/report.md": ("report",),
    "data": ("data-list", "data-get"),
    "data/camvid": ("data-list", "data-get"),
    "runs/.writable": ("status", "train"),
    "tables": ("train",),
    "tables/quick": ("train",),
}
"""Where commands write, or look for what they have written, and which."""


def outputs(base: Base, seed: int) -> Iterator[Case]:
    """Something else in place of what commands write."""
    for where, readers in OUTPUTS.items():
        is_file = "." in where.rpartition("/")[2] and where.rpartition("/")[2] != "fc7.raw"
        kinds = ("link", "dangling", "loop", "hard", "fifo", "folder") if is_file else FOLDER_KINDS
        things = {f"{where}={kind}": partial(instead, where=where, kind=kind) for kind in kinds}
        yield from over(seed, things, readers, 1)


def _replaced_root(place: Place, kind: str) -> None:
    results = place.results
    results.rename(place.work / "elsewhere")
    match kind:
        case "file":
            results.write_text("a file")
        case "fifo":
            os.mkfifo(results)
        case _:  # a link: the user's own, which is followed, to itself, to nothing, or to a device
            results.symlink_to(
                {"link": "elsewhere", "loop": "results", "dangling": "nowhere", "device": "/dev/null"}[kind]
            )


def roots(base: Base, seed: int) -> Iterator[Case]:
    """The results folder itself."""
    things = {
        f"results={kind}": partial(_replaced_root, kind=kind)
        for kind in ("link", "file", "fifo", "loop", "dangling", "device")
    }
    every = [name for name in commands.ALL if name not in (*commands.TRAINING, "weights-convert", "submit-check")]
    yield from over(seed, things, every, 8)


GROUPS: tuple[Group, ...] = (metrics_lines, configurations, names, run_entries, outputs, roots)
