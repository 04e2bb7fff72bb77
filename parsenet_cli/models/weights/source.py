"""`Source`: one published file of weights, as a trunk declares it. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass

from parsenet_cli.core.address import Address
from parsenet_cli.models.preprocessing_spec import InputNormalization


@dataclass(frozen=True, kw_only=True)
class Source:
    """One training run's file. What it lacks is initialised anew, never taken from another source.

    Attributes:
        file: its name, as it is downloaded.
        mirrors: addresses of the very same file, tried in turn.
        checksum: `sha256:` and its digits, or the first of them; None where none is published.
        size: bytes, where known.
        bodies: those that can be made from it, decimated where needed.
        origin: whose training it is, in a sentence that stays with every result.
        normalization: the input it was trained on.
        reinitialized: layers it does not hold.
    """

    file: str
    mirrors: tuple[Address, ...]
    checksum: str | None = None
    size: int | None = None
    bodies: tuple[str, ...]
    origin: str
    normalization: InputNormalization
    reinitialized: tuple[str, ...] = ()
