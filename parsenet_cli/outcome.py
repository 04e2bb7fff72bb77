"""How a command that carries out runs ended."""

from __future__ import annotations

from dataclasses import dataclass, field

from parsenet_cli.errors import UserError
from parsenet_cli.store import Run


@dataclass
class Outcome:
    """The runs that failed and why, and what was wrong with the input, in words."""

    failed: dict[str, str] = field(default_factory=dict)
    bad_input: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    """Runs that somebody has cancelled; they are as they were left."""
    left: list[Run] = field(default_factory=list)
    """The runs that a detached command left in the launcher's queue."""

    def raise_bad_input(self) -> None:
        """Bad input becomes a `UserError`."""
        if self.bad_input:
            raise UserError("\n".join(self.bad_input))

    def add_bad_input(self, message: str) -> None:
        """Many runs may find the same thing wrong, which is told once."""
        if message not in self.bad_input:
            self.bad_input.append(message)
