"""TODO."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from parsenet_cli.models.preprocessing_spec import InputNormalization

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Source:
    """One published file of weights: one training run. What it lacks is drawn, never taken from another source."""

    file: str
    """Its name, as it is downloaded."""
    mirrors: tuple[str, ...]
    """Addresses of the very same file, tried in turn."""
    checksum: str | None
    """`sha256:` and its digits, or the first of them; None where none is published."""
    size: int | None
    """Bytes, where known."""
    bodies: tuple[str, ...]
    """Bodies that can be made from it, decimated where needed."""
    origin: str
    """Whose training it is, in a sentence that stays with every result."""
    convention: InputNormalization
    """The input it was trained on."""
    drawn: tuple[str, ...] = ()
    """Layers it does not hold."""
