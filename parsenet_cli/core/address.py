"""Where a published file is to be had, and who reported last whether it is there."""

from __future__ import annotations

from dataclasses import dataclass

UNVERIFIED = "unverified"
"""No public report was found of anybody who downloaded from an address or could not."""


@dataclass(frozen=True)
class Address:
    """One place of a published file.

    Attributes:
        reported: The month (YYYY-MM) of the newest report; of an unverified one, when a report was looked for. Empty: the
            user named it.
        by: The thread that reports it, `owner/repository#number`, or `UNVERIFIED`.
        works: False: reported dead, and tried last.
    """

    url: str
    reported: str = ""
    by: str = UNVERIFIED
    works: bool = True

    @property
    def status(self) -> str:
        """The report in a few words; empty where there is nothing to say."""
        if not self.reported:
            return ""
        if self.by == UNVERIFIED:
            return f"{UNVERIFIED} {self.reported}"
        return f"reported {'working' if self.works else 'dead'} {self.reported} by {self.by}"
