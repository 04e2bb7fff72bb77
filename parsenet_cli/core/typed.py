"""Data that somebody else may have written becomes a dataclass of ours here, or is refused with its first fault in words.

Types are strict (no number is read from a text), numbers are finite, and keys that are unknown are ignored: files of later
versions have more of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from functools import cache
from typing import Annotated, Any, TypeVar, cast, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from parsenet_cli.core.text import printable

LARGEST = 2**63 - 1
LONGEST_SECONDS = 1e12
LARGEST_FLOAT32 = 3.4028235e38

Count = Annotated[int, Field(ge=0, le=LARGEST)]
Positive = Annotated[int, Field(ge=1, le=LARGEST)]
Seed = Annotated[int, Field(ge=0, le=LARGEST)]
Seconds = Annotated[float, Field(ge=0, le=LONGEST_SECONDS)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Number = Annotated[float, Field(ge=-LARGEST_FLOAT32, le=LARGEST_FLOAT32)]
"""What float32 has, which is what a network computes in."""

Signature = Annotated[str, Field(pattern=r"^[0-9a-f]{12}\z")]
Crc32 = Annotated[str, Field(pattern=r"^[0-9a-f]{8}\z")]
JobId = Annotated[str, Field(pattern=r"^[0-9]{1,18}(_[0-9]{1,18})?\z")]
"""Of a job in a cluster's queue: "12", or "12_3" in an array."""

FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\z")]
"""Of a file in one folder."""

_LONGEST_VALUE = 60

T = TypeVar("T")


def build(kind: type[T], content: Mapping[str, Any]) -> T:
    """A dataclass from an object of JSON, by its annotations. Raises `ValueError` with the first fault."""
    try:
        return kind(**vars(_model(cast(Any, kind)).model_validate(content)))
    except ValidationError as problem:
        raise ValueError(first_fault(problem)) from None


def first_fault(problem: ValidationError) -> str:
    """The first of what pydantic found: `runtime.micro_batch=-1: input should be greater than or equal to 1`."""
    fault = problem.errors(include_url=False)[0]
    key = ".".join(str(part) for part in fault["loc"])
    says = fault["msg"].removeprefix("Value error, ")
    value = fault["input"]
    given = "" if value is None or isinstance(value, dict | list | tuple) else f"={value!s:.{_LONGEST_VALUE}}"
    return printable(" ".join(f"{key}{given}: {says[:1].lower()}{says[1:]}".removeprefix(": ").split()))


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
