"""Hashing the files of a data set: what was hashed is remembered, whatever happens meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from parsenet_cli.core.text import silent
from parsenet_cli.data import fingerprint
from parsenet_cli.data.fingerprint import content_hashes


def test_interrupted_hashing_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [tmp_path / str(i) for i in range(5)]
    for file in files:
        file.write_text(file.name)
    hashed: list[str] = []

    def hashes(file: Path) -> str:
        hashed.append(file.name)
        return f"hash of {file.name}"

    def stops(text: str) -> None:
        if text == "reading files: 4 of 5":
            raise InterruptedError

    monkeypatch.setattr(fingerprint, "_CHUNK", 2)
    monkeypatch.setattr(fingerprint, "sha256_of", hashes)
    with pytest.raises(InterruptedError):
        content_hashes(files, tmp_path / "cache", stops)
    assert sorted(hashed) == ["0", "1", "2", "3"]
    assert content_hashes(files, tmp_path / "cache", silent) == [f"hash of {i}" for i in range(5)]
    assert hashed[4:] == ["4"]
