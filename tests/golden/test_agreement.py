"""Every recorded case of the authors' Caffe, answered by our own modules."""

from __future__ import annotations

import pytest

from parsenet_cli.core.errors import UserError
from tests.golden import vectors
from tests.golden.comparison import compared
from tests.golden.vectors import Case


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "file" in metafunc.fixturenames:
        problem = None
        try:
            cases = vectors.cases()
        except UserError as error:
            problem = str(error)
        if problem:
            pytest.fail(problem, pytrace=False)
        metafunc.parametrize(("file", "name"), cases, ids=["-".join(case) for case in cases])


def test_case_agrees(file: str, name: str, remember: list[Case]) -> None:
    case = compared(file, name)
    remember.append(case)
    too_far = [each for each in case.differences if not each.fits]
    assert not too_far, f"beyond the bound: {too_far}"
    assert not case.unseen, "every recorded array is given to our code or compared with it"
