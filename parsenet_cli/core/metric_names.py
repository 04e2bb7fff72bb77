"""What metrics there are, without what computes them: commands that only look at tables would wait for numpy."""

from __future__ import annotations

import ast
from functools import cache
from typing import Literal

from parsenet_cli.core.files import read_bytes
from parsenet_cli.core.paths import PACKAGE

ClassMean = Literal["present", "all"]


@cache
def names() -> list[str]:
    """The names of all metrics: the functions of core/metrics.py with the parameters `(confusion, class_mean)`."""
    functions = ast.parse(read_bytes(PACKAGE / "core" / "metrics.py", follow=True)).body
    return [
        function.name
        for function in functions
        if isinstance(function, ast.FunctionDef)
        and [each.arg for each in function.args.args] == ["confusion", "class_mean"]
        and not function.name.startswith("_")
    ]
