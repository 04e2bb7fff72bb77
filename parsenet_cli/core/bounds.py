"""Values with their bounds, whoever wrote them, and what is said of one that lies outside or is of another kind.

Data that somebody else may have written becomes a dataclass of ours in `build`: types are strict (no number is read from a text),
numbers are finite, and keys that are unknown are ignored: files of later versions have more of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast, get_args, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from parsenet_cli.core.text import shown

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

MOST_STEPS = 1_000_000_000
LARGEST = 2**63 - 1
LARGEST_FLOAT32 = 3.4028235e38
MOST_SEEDS = 1000
"""Seeds of one cell in one command."""

Seed = Annotated[int, Field(ge=0, le=LARGEST)]
Steps = Annotated[int, Field(ge=1, le=MOST_STEPS)]
Images = Annotated[int, Field(ge=1, le=65_536)]
Pixels = Annotated[int, Field(ge=1, le=65_536)]
Channels = Annotated[int, Field(ge=1, le=65_536)]
Bins = Annotated[int, Field(ge=1, le=1000)]
MOST_PROCESSES = 4096
Processes = Annotated[int, Field(ge=1, le=MOST_PROCESSES)]
"""Also threads of a process, and cores of a job."""

Times = Annotated[int, Field(ge=0, le=1000)]
LearningRate = Annotated[float, Field(ge=0, le=1e38)]
"""Also one that learns nothing, and one that is sure to diverge."""

Length = Annotated[float, Field(gt=0, le=1e6)]
Multiplier = Annotated[float, Field(ge=0, le=1e6)]
NormPower = Annotated[float, Field(ge=1, le=1000)]
Scale = Annotated[float, Field(ge=-1e6, le=1e6)]
Share = Annotated[float, Field(ge=0, lt=1)]
Seconds = Annotated[float, Field(ge=0, le=1e12)]
Interval = Annotated[float, Field(gt=0, le=1e9)]
"""Seconds, never none."""

Count = Annotated[int, Field(ge=0, le=LARGEST)]
Positive = Annotated[int, Field(ge=1, le=LARGEST)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Number = Annotated[float, Field(ge=-LARGEST_FLOAT32, le=LARGEST_FLOAT32)]
"""What float32 has, which is what a network computes in."""

Signature = Annotated[str, Field(pattern=r"^[0-9a-f]{12}\z")]
Crc32 = Annotated[str, Field(pattern=r"^[0-9a-f]{8}\z")]
JobId = Annotated[str, Field(pattern=r"^[0-9]{1,18}(_[0-9]{1,18})?\z")]
"""Of a job in a cluster's queue: "12", or "12_3" in an array."""

FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\z")]
"""Of a file in one folder."""

CodeId = Annotated[str, Field(pattern=r"^([0-9a-f]{12}(\+[0-9a-f]{12}){0,20})?\z")]
ModuleName = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,50}(/[a-z0-9_]{1,50}){0,4}\z")]
"""As a path in the package, without its suffix."""

T = TypeVar("T")

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


def first_fault(problem: ValidationError, model: type[BaseModel] | None = None) -> Fault:
    """The first of what pydantic found in a value for `model`, by which the bounds are known."""
    error = problem.errors(include_url=False)[0]
    loc, kind, says = list(error["loc"]), error["type"], error["msg"]
    keys = [part for part in loc if isinstance(part, str)]
    field, word = _field(model, keys), kind.partition("_")[0]
    expected = _EXPECTED.get(word, "")
    if word in _NUMBERS and field:
        expected = range_of(field)
    elif kind == "literal_error":
        expected = error["ctx"]["expected"]
    elif kind == "too_long":
        expected = f"at most {error['ctx']['max_length']} values"
    if expected:
        says = f"expected {expected}{' or null' if field and NoneType in get_args(field.annotation) else ''}"
    while loc and isinstance(loc[-1], int):
        loc.pop()
    return Fault(
        ".".join(map(str, loc)), kind, error["input"], f"{says[:1].lower()}{says[1:]}".removeprefix("value error, ")
    )


def _field(model: type[BaseModel] | None, keys: list[str]) -> FieldInfo | None:
    inner: Any = model
    field = None
    for key in keys:
        field = getattr(inner, "model_fields", {}).get(key)
        inner = field and field.annotation
    return field


def range_of(field: FieldInfo) -> str:
    """What a field for numbers takes: `a whole number from 1 to 4096`."""
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


def build(kind: type[T], content: Mapping[str, Any]) -> T:
    """A dataclass from an object of JSON, by its annotations. Raises `ValueError` with the first fault."""
    try:
        return kind(**vars(_model(cast(Any, kind)).model_validate(content)))
    except ValidationError as problem:
        raise ValueError(str(first_fault(problem, _model(cast(Any, kind))))) from None


@cache
def _model(kind: Any) -> type[BaseModel]:
    hints = get_type_hints(kind, include_extras=True)
    known = {field.name: field for field in fields(kind) if field.name != "content"}
    required = {name for name, field in known.items() if field.default is field.default_factory is MISSING}
    given: dict[str, Any] = {
        name: (
            hints[name],
            Field()
            if name in required
            else Field(default_factory=cast(Any, field.default_factory))
            if field.default is MISSING
            else Field(default=field.default),
        )
        for name, field in known.items()
    }
    config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False, protected_namespaces=())
    return create_model(kind.__name__, __config__=config, **given)
