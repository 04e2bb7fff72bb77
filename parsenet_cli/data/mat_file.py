"""Label maps kept in MATLAB files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from parsenet_cli.core.errors import UserError
from parsenet_cli.data.decoding import ReadLabel


def read_mat(path: Path, variable: str, largest: int, field: str | None = None) -> npt.NDArray[np.int64]:
    """The matrix `variable` of a `.mat` file, or this field of the structure `variable`, as integers (H, W).

    Raises `UserError`, naming the file, when it is missing, corrupt, or has no such matrix of numbers from 0 to `largest`.
    """
    from scipy.io import loadmat

    try:
        content = loadmat(str(path), variable_names=[variable])
    except FileNotFoundError:
        raise UserError(f"{path}: no such label file") from None
    except Exception as problem:  # a corrupt file makes scipy raise almost anything (zlib.error, TypeError, ...)
        raise UserError(
            f"{path}: not a readable MATLAB file ({type(problem).__name__}: {problem}); restore it or take it off the list"
        ) from None
    matrix = content.get(variable)
    if field is not None:
        variable = f"{variable}.{field}"
        named = matrix is not None and field in (matrix.dtype.names or ()) and matrix.size
        matrix = matrix[field].ravel()[0] if matrix is not None and named else None
    if matrix is None or matrix.ndim != 2 or matrix.dtype.kind not in "iuf":
        description = "nothing of that name" if matrix is None else f"{matrix.dtype} of shape {matrix.shape}"
        raise UserError(f"{path}: expected the matrix '{variable}' of class numbers; found {description}")
    numbers = np.asarray(matrix, np.int64)
    for wrong in (numbers.min(initial=0), numbers.max(initial=0)):
        if not 0 <= wrong <= largest:
            raise UserError(f"{path}: class number {wrong} is out of range; expected 0 to {largest}")
    return numbers


def label_map_reader(variable: str, ids: npt.ArrayLike) -> ReadLabel:
    """Reads the matrix `variable` of a label map, in which number n stands for the class `ids[n]`."""
    table = np.asarray(ids, np.uint8)
    return lambda path: table[read_mat(path, variable, len(table) - 1)]
