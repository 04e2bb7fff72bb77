"""Numbers that a person writes, with their bounds, and what is said of a value that lies outside or is of another kind."""

from __future__ import annotations

from dataclasses import dataclass
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, get_args

from pydantic import Field

from parsenet_cli.core.text import shown

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError
    from pydantic.fields import FieldInfo

MOST_STEPS = 1_000_000_000
LARGEST_SEED = 2**63 - 1
MOST_SEEDS = 1000
"""Seeds of one cell in one command."""

Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED)]
Steps = Annotated[int, Field(ge=1, le=MOST_STEPS)]
Images = Annotated[int, Field(ge=1, le=65_536)]
Pixels = Annotated[int, Field(ge=1, le=65_536)]
Channels = Annotated[int, Field(ge=1, le=65_536)]
Bins = Annotated[int, Field(ge=1, le=1000)]
Processes = Annotated[int, Field(ge=1, le=4096)]
"""Also threads of a process, and cores of a job."""

Times = Annotated[int, Field(ge=0, le=1000)]
LearningRate = Annotated[float, Field(ge=0, le=1e38)]
"""Also one that learns nothing, and one that is sure to diverge."""

Length = Annotated[float, Field(gt=0, le=1e6)]
Multiplier = Annotated[float, Field(ge=0, le=1e6)]
Scale = Annotated[float, Field(ge=-1e6, le=1e6)]
Share = Annotated[float, Field(ge=0, lt=1)]
Seconds = Annotated[float, Field(ge=0, le=1e9)]
Interval = Annotated[float, Field(gt=0, le=1e9)]
"""Seconds, never none."""

_NUMBERS = ("greater", "less", "finite", "int", "float")
_EXPECTED = {
    "bool": "true or false",
    "string": "a text",
    "tuple": "a list",
    "list": "a list",
    "model": "a mapping (key: value)",
}
"""By the first word of pydantic's type of an error."""


@dataclass(frozen=True)
class Fault:
    """What is wrong with the first wrong value of a model.

    Attributes:
        key: Dotted.
        kind: Pydantic's name of the error.
        says: `expected …`, or the sentence of a validator.
    """

    key: str
    kind: str
    value: Any
    says: str

    def __str__(self) -> str:
        if self.kind == "missing":
            return f"there is no '{self.key}'; add it"
        if self.kind == "value_error" and isinstance(self.value, dict):  # of several keys, which it names
            return f"{self.key}.{self.says}".removeprefix(".")
        return f"{self.key}={shown(self.value)}: {self.says}"


def first_fault(problem: ValidationError, model: type[BaseModel]) -> Fault:
    """The first of what pydantic found in a value for `model`."""
    error = problem.errors(include_url=False)[0]
    keys, kind, says = [part for part in error["loc"] if isinstance(part, str)], error["type"], error["msg"]
    field, word = _field(model, keys), kind.partition("_")[0]
    expected = _EXPECTED.get(word, "")
    if word in _NUMBERS and field:
        expected = _range(field)
    elif kind == "literal_error":
        expected = error["ctx"]["expected"]
    elif kind == "too_long":
        expected = f"at most {error['ctx']['max_length']} values"
    if expected:
        says = f"expected {expected}{' or null' if field and NoneType in get_args(field.annotation) else ''}"
    return Fault(".".join(keys), kind, error["input"], says.removeprefix("Value error, "))


def _field(model: type[BaseModel], keys: list[str]) -> FieldInfo | None:
    inner: Any = model
    field = None
    for key in keys:
        field = getattr(inner, "model_fields", {}).get(key)
        inner = field and field.annotation
    return field


def _range(field: FieldInfo) -> str:
    """`a whole number from 1 to 4096`."""
    parts = [part for part in get_args(field.annotation) if part is not NoneType and part is not Ellipsis]
    whole = field.annotation is int or any(part is int or get_args(part)[:1] == (int,) for part in parts)
    inner = [info for part in parts for info in getattr(part, "__metadata__", ())]
    bounds = [bound for info in (field, *inner) for bound in getattr(info, "metadata", ())]
    number = f"a {'whole ' if whole else ''}number"
    for name, word in (("ge", "from"), ("gt", "above"), ("le", "to"), ("lt", "to below")):
        limits = [limit for bound in bounds if (limit := getattr(bound, name, None)) is not None]
        if limits:
            shown_limit = f"{limits[0]:.16g}" if isinstance(limits[0], float) else str(limits[0])
            number += f"{' and up' if name == 'le' and 'above' in number else ''} {word} {shown_limit}"
    return number
