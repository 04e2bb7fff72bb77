"""Noticing a worker that hangs, with a clock of the test's own."""

from __future__ import annotations

import pytest

from parsenet_cli.store.heartbeat import StallDetector


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def looks(detector: StallDetector, clock: Clock, counters: list[object]) -> list[bool]:
    """What each look says when they follow each other as they should."""
    said = []
    for counter in counters:
        clock.now += detector.pause
        assert detector.due()
        said.append(detector.stalled("run", counter))
    return said


def test_counter_that_stands_still_is_a_stall_once_the_patience_is_over(clock: Clock) -> None:
    detector = StallDetector(100, clock)
    said = looks(detector, clock, [7] * 22)
    assert said == [False] * 21 + [True]
    assert not detector.due()


def test_any_change_begins_anew_whichever_way_it_goes(clock: Clock) -> None:
    """A resumed run's counter may be lower."""
    detector = StallDetector(100, clock)
    assert not any(looks(detector, clock, [*[7] * 20, 3, *[3] * 20]))


def test_driver_that_was_suspended_itself_blames_nobody(clock: Clock) -> None:
    detector = StallDetector(100, clock)
    looks(detector, clock, [7, 7])
    clock.now += 10 * 3600
    assert not detector.stalled("run", 7)


def test_forgotten_name_begins_anew(clock: Clock) -> None:
    detector = StallDetector(100, clock)
    looks(detector, clock, [7] * 21)
    detector.forget("run")
    assert not any(looks(detector, clock, [7] * 21))


def test_looks_stay_frequent_however_long_the_patience() -> None:
    assert StallDetector(1800).pause == 15
    assert StallDetector(3).pause == 0.15
