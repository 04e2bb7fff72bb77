"""`parsenet data get`: from published archives to a folder that is whole and verified, or not there.

Everything happens in `<home>/.<name>.preparing`; the folder `<home>/<name>` appears by rename. What was interrupted goes on:
downloads in the middle, unpacking at the archive it was at. One process prepares a data set, others wait for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from parsenet_cli.core.address import Address
from parsenet_cli.core.download import check, checksum, fetch
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import (
    NotWritten,
    file_lock,
    guard,
    make_folder,
    os_errors_as_user_errors,
    refuse_links,
    remove,
)
from parsenet_cli.core.sealed import read_json, write_json
from parsenet_cli.core.text import Progress
from parsenet_cli.data import releases, sets
from parsenet_cli.data.download import manifest
from parsenet_cli.data.download.archives import extract
from parsenet_cli.data.download.release import Archive, Release, differences

SEAL = "prepared.json"
"""Written last."""

Seal = dict[str, Any]
"""Version, archives with checksums, counts, files, bytes, and the manifest's sha256 as `content`."""

VERSION = 1
_MOST = 1 << 63
_UNPACKED = ".unpacked.json"


def prepare_release(
    release: Release, home: Path, given: Sequence[Path], mirror: str | None, progress: Progress
) -> Seal:
    """Prepare `<home>/<name>` unless it is there; returns what its `prepared.json` says.

    Args:
        release: what is to be had and what must come out.
        given: archives, or folders that hold some, which are used where they lie instead of a download.
        mirror: an address used instead of the published ones: `<mirror>/<archive's name>`.

    Raises:
        UserError: an archive cannot be had or is not the published one, lists or labels are not as expected, the disk is
            full, or a folder is in the way that this function did not make.
    """
    guard(home)
    folder = home / release.name
    with file_lock(home / f".{release.name}.lock", f"preparing {release.name}", progress):
        own = _assigned(release, given)
        seal = sealed(folder)
        if seal is None and folder.exists():
            raise UserError(
                f"{folder}: is there already, but was not made by `parsenet data get`. Check it with `parsenet data check "
                f"{folder}` and use it as it is (data_root={folder}), or move it away"
            )
        seal = seal or _make(release, folder, own, mirror, progress)
        for name in release.temporary:  # also where an earlier call was interrupted just here
            remove(folder / name)
        remove(folder / _UNPACKED)
        return _add(release, folder, own, seal, progress)


def sealed(folder: Path) -> Seal | None:
    """What `prepared.json` says of a prepared folder; None where there is none of this version."""
    content = read_json(folder / SEAL)
    return content if _is_seal(content) else None


def _is_seal(content: Any) -> bool:
    """Whether everything is there that is asked for elsewhere, and is what it should be."""

    def number(value: Any) -> bool:
        return type(value) is int and 0 <= value < _MOST

    if (
        not isinstance(content, dict)
        or content.get("version") != VERSION
        or content.get("name") not in releases.names()
    ):
        return False
    counts, records = content.get("counts"), content.get("archives")
    return (
        isinstance(counts, dict)
        and all(map(number, counts.values()))
        and isinstance(records, list)
        and all(isinstance(record, dict) and isinstance(record.get("name"), str) for record in records)
        and all(number(content.get(key)) for key in ("files", "bytes"))
        and isinstance(content.get("content"), str)
    )


def _make(release: Release, folder: Path, own: dict[str, Path], mirror: str | None, progress: Progress) -> Seal:
    taken = [part for part in release.archives if part.needed or (not part.verify and part.remote.name in own)]
    files = [_at_hand(archive, own, folder.parent / "archives", mirror, progress) for archive in taken]
    records = [_record(archive, file, progress) for archive, file in zip(taken, files, strict=True)]
    work = folder.with_name(f".{folder.name}.preparing")
    with os_errors_as_user_errors(work), _removed_where_wrong(work):
        unpacked = read_json(work / _UNPACKED)
        if not isinstance(unpacked, list) or any(record not in records for record in unpacked):  # others than last time
            remove(work)
            unpacked = []
        make_folder(work)
        for archive, file, record in zip(taken, files, records, strict=True):
            if record not in unpacked:
                extract(file, work, archive.place, progress)
                unpacked = [*unpacked, record]
                write_json(work / _UNPACKED, unpacked)
        progress(f"{release.name}: deriving lists and labels")
        try:
            release.finish(work, progress)
            wrong = differences(sets.on_disk()[release.name].lists(work), release.expected)
        except NotWritten:
            raise
        except UserError as problem:
            wrong = [str(problem)]
        if wrong:
            found = "; ".join(wrong).replace(f"{work}/", "")
            raise UserError(
                f"{' and '.join(map(str, files))}: not the published data set {release.name}: {found}. Get the archives again "
                "from the publisher, or name other copies with --from"
            )
        seal = _seal(release, work, records, progress)
        work.rename(folder)
        return seal


@contextmanager
def _removed_where_wrong(work: Path) -> Iterator[None]:
    """What was unpacked stays where it is interrupted or the disk is full, and goes where an archive is refused."""
    try:
        yield
    except NotWritten:
        raise
    except UserError:
        remove(work)
        raise


def _seal(release: Release, root: Path, records: list[dict[str, Any]], progress: Progress) -> Seal:
    lists = sets.on_disk()[release.name].lists(root)
    content, files, size = manifest.write(root, (SEAL, _UNPACKED, *release.temporary), progress)
    seal = {
        "version": VERSION,
        "name": release.name,
        "archives": records,
        "counts": {name: len(sources) for name, (_, sources) in lists.items()},
        "files": files,
        "bytes": size,
        "content": f"sha256:{content}",
    }
    write_json(root / SEAL, seal)
    return seal


def _add(release: Release, folder: Path, own: dict[str, Path], seal: Seal, progress: Progress) -> Seal:
    """Add what only the user can have, such as test images; a file that is there is left alone."""
    for archive in release.archives:
        if archive.verify is None or archive.remote.name not in own:
            continue
        record = _record(archive, own[archive.remote.name], progress)
        if record in seal["archives"]:
            continue
        work = folder.with_name(f".{folder.name}.adding")
        with os_errors_as_user_errors(work), _removed_where_wrong(work):
            remove(work)
            extract(own[archive.remote.name], work, archive.place, progress)
            archive.verify(work)
            for file in sorted(path for path in work.rglob("*") if path.is_file()):
                target = folder / file.relative_to(work)
                make_folder(target.parent)
                refuse_links(target)
                if not target.exists():
                    file.rename(target)
            remove(work)
            seal = _seal(release, folder, [*seal["archives"], record], progress)
    return seal


def _assigned(release: Release, given: Sequence[Path]) -> dict[str, Path]:
    """The user's files by the archive's name: told by the file's name or else, where there is one, by the checksum."""
    own: dict[str, Path] = {}
    names = [archive.remote.name for archive in release.archives]
    for path in given:
        if not path.exists():
            raise UserError(f"--from {path}: no such file or folder")
        if path.is_dir():
            own |= {name: path / name for name in names if (path / name).is_file()}
            continue
        name = path.name if path.name in names else _by_checksum(release, path)
        if name is None:
            raise UserError(
                f"--from {path}: not an archive of {release.name}; expected {', '.join(names)} (by name, or a file with "
                "the published checksum)"
            )
        own[name] = path
    return own


def _by_checksum(release: Release, file: Path) -> str | None:
    published = {
        archive.remote.checksum: archive.remote.name for archive in release.archives if archive.remote.checksum
    }
    return next(
        (name for wanted, name in published.items() if checksum(file, wanted.partition(":")[0]) == wanted), None
    )


def _at_hand(archive: Archive, own: dict[str, Path], folder: Path, mirror: str | None, progress: Progress) -> Path:
    remote = archive.remote
    if remote.name in own:
        check(own[remote.name], remote, progress)
        return own[remote.name]
    if mirror is not None:
        remote = replace(remote, mirrors=(Address(f"{mirror.rstrip('/')}/{remote.name}"),))
    return fetch(remote, folder, progress)


def _record(archive: Archive, file: Path, progress: Progress) -> dict[str, Any]:
    remote = archive.remote
    if remote.checksum is None:
        progress(f"{file.name}: hashing")
    return {"name": remote.name, "checksum": remote.checksum or checksum(file), "bytes": file.stat().st_size}
