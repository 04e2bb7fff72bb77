"""`python -m tests.golden`: compare every recorded case and write the figures into docs/fidelity.md.

With `PARSENET_GOLDEN` set, the page stays as it is, because it is about the repository's recordings: the figures are printed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import write_text
from tests.golden import report, vectors

PAGE = Path(__file__).parents[2] / "docs" / "fidelity.md"


def main() -> int:
    """Returns the exit code: 1 where figures cannot be published, 2 where the recordings are not to be read."""
    try:
        if os.environ.get(vectors.VARIABLE):
            print(report.figures())
            return 0
        write_text(PAGE, report.replaced(PAGE.read_text()))
    except UserError as problem:
        print(problem, file=sys.stderr)
        return 2
    except ValueError as problem:
        print(f"no figures to publish: {problem}", file=sys.stderr)
        return 1
    print(f"written: {PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
