"""Label maps kept in MATLAB files."""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import read_bytes
from parsenet_cli.data.decoding import ReadLabel

LARGEST_FILE = 64 << 20
"""In bytes; the label maps of a data set have some 10 kB."""

LARGEST_CONTENT = 256 << 20
"""In bytes, unpacked."""

_HEADER, _TAG, _COMPRESSED = 128, 8, 15


def read_mat(path: Path, variable: str, largest: int, field: str | None = None) -> npt.NDArray[np.int64]:
    """The matrix `variable` of a `.mat` file, or this field of the structure `variable`, as integers (H, W).

    Raises `UserError`, naming the file, when it is missing, corrupt, too large, or has no such matrix of whole numbers from 0
    to `largest`.
    """
    from scipy.io import loadmat

    try:
        packed = read_bytes(path, LARGEST_FILE, follow=True)
        if packed.startswith(b"MATLAB 7.3"):
            raise UserError(f"{path}: saved in MATLAB's version 7.3, which is not read here: save it with -v7")
        content = loadmat(cast("Any", io.BytesIO(_unpacked(packed))), variable_names=[variable])
    except UserError:
        raise
    except FileNotFoundError:
        raise UserError(f"{path}: no such label file") from None
    except Exception as problem:  # a corrupt file makes scipy raise almost anything (zlib.error, TypeError, ...)
        why = (problem.strerror if isinstance(problem, OSError) else "") or f"{type(problem).__name__}: {problem}"
        raise UserError(f"{path}: not a readable MATLAB file ({why}); restore it or take it off the list") from None
    matrix = content.get(variable)
    if field is not None:
        variable = f"{variable}.{field}"
        named = isinstance(matrix, np.ndarray) and field in (matrix.dtype.names or ()) and matrix.size
        matrix = matrix[field].ravel()[0] if matrix is not None and named else None
    if not isinstance(matrix, np.ndarray) or matrix.ndim != 2 or matrix.dtype.kind not in "iuf":
        raise UserError(f"{path}: expected the matrix '{variable}' of class numbers; found {_described(matrix)}")
    right = (matrix >= 0) & (matrix <= largest) & (matrix == np.floor(matrix))
    if not right.all():
        wrong = matrix[~right][0]
        why = "is out of range" if not 0 <= wrong <= largest else "is no whole number"
        raise UserError(f"{path}: class number {wrong:g} {why}; expected 0 to {largest}")
    return matrix.astype(np.int64)


def label_map_reader(variable: str, ids: npt.ArrayLike) -> ReadLabel:
    """Reads the matrix `variable` of a label map, in which number n stands for the class `ids[n]`."""
    table = np.asarray(ids, np.uint8)
    return lambda path: table[read_mat(path, variable, len(table) - 1)]


def _unpacked(content: bytes) -> bytes:
    """A file of version 5 to 7 with its compressed elements unpacked. Raises `ValueError` where that is too much.

    A file of version 4 has no header of text, and nothing in it is compressed.
    """
    if len(content) < _HEADER or 0 in content[:4]:
        return content
    order = "little" if content[126:128] == b"IM" else "big"
    parts, at, total = [content[:_HEADER]], _HEADER, 0
    while at + _TAG <= len(content):
        kind, size = (int.from_bytes(content[at + i : at + i + 4], order) for i in (0, 4))  # type: ignore[arg-type]
        end = at + _TAG + size
        part = content[at:end]
        if kind == _COMPRESSED:
            part = zlib.decompressobj().decompress(part[_TAG:], LARGEST_CONTENT + 1 - total)
        total += len(part)
        if total > LARGEST_CONTENT:
            raise ValueError(f"it unpacks to more than {LARGEST_CONTENT} bytes")
        parts.append(part)
        at = end
    return b"".join(parts)


def _described(found: Any) -> str:
    if found is None:
        return "nothing of that name"
    if isinstance(found, np.ndarray):
        return f"{found.dtype} of shape {found.shape}"
    return f"a {type(found).__name__}"
