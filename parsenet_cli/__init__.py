"""parsenet: the tables of "ParseNet: Looking Wider to See Better" as experiments, and back into the same tables, measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parsenet_cli.core.version import __version__

if TYPE_CHECKING:
    from parsenet_cli.store.frame import load_frame

__all__ = ["__version__", "load_frame"]


def __getattr__(name: str) -> Any:
    """`load_frame` needs pandas, which the command line does not load before it has to."""
    if name == "load_frame":
        from parsenet_cli.store.frame import load_frame

        return load_frame
    raise AttributeError(f"module 'parsenet_cli' has no attribute '{name}'")


def __dir__() -> list[str]:
    """With what `__getattr__` finds, so that an interpreter completes it."""
    return sorted({*globals(), *__all__})
