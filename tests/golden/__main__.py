"""`python -m tests.golden`: compare every recorded case and write the figures into docs/fidelity.md."""

from __future__ import annotations

import sys
from pathlib import Path

from parsenet_cli.errors import UserError
from parsenet_cli.files import write_text
from tests.golden import report

PAGE = Path(__file__).parents[2] / "docs" / "fidelity.md"


def main() -> int:
    """Returns the exit code: 1 where figures cannot be published, 2 where the recordings are not to be read."""
    try:
        write_text(PAGE, report.replaced(PAGE.read_text()))
    except UserError as problem:
        print(problem, file=sys.stderr)
        return 2
    except ValueError as problem:
        print(f"{PAGE}: not written: {problem}", file=sys.stderr)
        return 1
    print(f"written: {PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
