"""What stands in a column of the LMS's gradebook (AGS 2.0, 3.3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lti_server.lti.addresses import score_url, with_parameters
from lti_server.lti.grade_service import GradeService, Refused
from lti_server.lti.platform_profiles import RESULT
from lti_server.privacy.disclose import Disclosed

CONTAINER = "v2.resultcontainer+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One person's grade. `points` None: nothing is graded; `maximum` None: the LMS does not say out of how many.

    `comment` may be a teacher's own words: it is compared, and never kept.
    """

    user_id: str
    points: float | None
    maximum: float | None
    comment: str = field(default="", repr=False)


class Results:
    """Reads grades, where the launch granted that."""

    def __init__(self, calls: GradeService) -> None:
        self._calls = calls

    def of(self, line_item_url: str, who: Disclosed[str]) -> Result | None:
        """What one person has in a column; None where nothing stands, or where it may not be read.

        The question names the person to the platform. Of what a platform answers beside, nothing is looked at.

        Raises:
            RejectedCredentials: the launch granted reading, and the platform gives no token for it.
        """
        if not self.readable:
            return None
        asked = with_parameters(score_url(line_item_url, "results"), {"user_id": who.value})
        try:
            for row in self._calls.rows(asked, RESULT, media=CONTAINER):
                if isinstance(row, dict) and row.get("userId") is not None and str(row["userId"]) == who.value:
                    return _result(row)
        except Refused:
            return None
        return None

    @property
    def readable(self) -> bool:
        """Whether the launch granted reading grades."""
        return self._calls.allows(RESULT)


def _result(row: dict[str, Any]) -> Result:
    given, most = _number(row.get("resultScore")), _number(row.get("resultMaximum"))
    comment = row.get("comment")
    return Result(
        user_id=str(row["userId"]),
        points=given,
        maximum=most if most is not None and most > 0 else None,
        comment=comment if isinstance(comment, str) else "",
    )


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
