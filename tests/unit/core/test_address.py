"""Every address that is built in says who reported it last, and when."""

from __future__ import annotations

import re

import pytest

from parsenet_cli.core.address import UNVERIFIED, Address
from parsenet_cli.data import releases
from parsenet_cli.models import trunks

PUBLISHED = {
    **{part.remote.name: part.remote.mirrors for name in releases.names() for part in releases.find(name).archives},
    **{source.file: source.mirrors for name in trunks.names() for source in trunks.find(name).sources.values()},
}


@pytest.mark.parametrize("file", PUBLISHED)
def test_addresses_are_secure_dated_and_in_order(file: str) -> None:
    """What is reported dead comes last; http only after the same address by https has been tried."""
    places = PUBLISHED[file]
    urls = [place.url for place in places]
    assert len(set(urls)) == len(urls)
    for number, place in enumerate(places):
        assert re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", place.reported)
        assert place.by == UNVERIFIED or re.fullmatch(r"[\w.-]+/[\w.-]+#\d+", place.by)
        secure = place.url.replace("http://", "https://", 1)
        assert secure == place.url or secure in urls[:number]
        assert secure.startswith("https://")
    assert [place.works for place in places] == sorted((place.works for place in places), reverse=True)


def test_what_users_have_to_bring_has_no_address() -> None:
    assert {file for file, places in PUBLISHED.items() if not places} == {"VOC2012test.tar", "labels.txt"}


def test_hosts_that_are_reported_dead_or_moved_are_gone() -> None:
    urls = " ".join(place.url for places in PUBLISHED.values() for place in places if place.works)
    for host in ("host.robots.ox.ac.uk", "pjreddie.com", "cs.stanford.edu"):
        assert host not in urls


@pytest.mark.parametrize(
    ("address", "status"),
    [
        (Address("https://a/b", "2026-03", "a/b#1"), "reported working 2026-03 by a/b#1"),
        (Address("https://a/b", "2025-12", "a/b#1", works=False), "reported dead 2025-12 by a/b#1"),
        (Address("https://a/b", "2026-11", UNVERIFIED), "unverified 2026-11"),
        (Address("https://a/b"), ""),
    ],
)
def test_a_report_in_words(address: Address, status: str) -> None:
    assert address.status == status
