"""Options of a launcher: a model of each, validated before anything is started."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from parsenet_cli.core.bounds import first_fault
from parsenet_cli.core.errors import UserError, unknown


class LauncherOptions(BaseModel):
    """What every launcher's file has; the options of each are the fields of its own model."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    name: str


class OptionError(UserError):
    """An option has no value that it can have.

    Attributes:
        option: Its name.
    """

    def __init__(self, option: str, message: str) -> None:
        super().__init__(message)
        self.option = option


_Options = TypeVar("_Options", bound=LauncherOptions)


def validated(model: type[_Options], options: dict[str, Any]) -> _Options:
    """The options as the launcher's model has them. Raises `OptionError` for the first that is wrong, missing or unknown."""
    try:
        return model.model_validate(options)
    except ValidationError as problem:
        fault = first_fault(problem, model)
    if fault.kind == "extra_forbidden":
        raise OptionError(fault.key, str(unknown("option of the launcher", fault.key, model.model_fields)))
    raise OptionError(fault.key, f"the launcher's options: {fault}" if fault.kind == "missing" else f"launcher.{fault}")
