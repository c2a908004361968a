"""Lessons on other sites: what such a site learns of whoever plays there passes the disclose gate."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.engine import Connection

from lti_server.errors import ContractForbids
from lti_server.lessons.handoff import LessonSession
from lti_server.lessons.model import Lesson
from lti_server.privacy import log, schedule
from lti_server.privacy.disclose import Asked, Disclose, Recipients
from lti_server.privacy.districts import District
from lti_server.privacy.model import Origin, Policy, Purpose

PURPOSE = Purpose.INSTRUCTION
TOLD = frozenset({schedule.PERFORMANCE, schedule.WORK})
"""What a lesson reads again of what it sent, where the contract keeps it."""


class LessonSites:
    """A site gets a pseudonym of this one lesson, and afterwards what it sent; each hand-off is an entry of the log."""

    def __init__(self, disclose: Callable[[], Disclose]) -> None:
        self._disclose = disclose

    def pseudonym(
        self, connection: Connection, district: District, policy: Policy | None, lesson: Lesson, session: LessonSession
    ) -> str:
        """Who somebody is to one lesson: stable there, and of no use anywhere else.

        Raises:
            ContractForbids: the contract does not name the site, or does not let this leave to it (any more).
        """
        name = f"lesson-pseudonym|{session.lesson_id}"
        value = district.keys.lookup(name, str(session.person_id)).hex()[:32]
        if not lesson.hosts:
            return value
        asked = _asked(named(policy, lesson), lesson, session)
        return self._disclose()(connection, district, asked, value).value

    def check(
        self, connection: Connection, district: District, policy: Policy | None, lesson: Lesson, session: LessonSession
    ) -> None:
        """Whether a site may go on reading and sending by this session. Raises as `pseudonym` does."""
        if lesson.hosts:
            self._disclose().check(connection, district, _asked(named(policy, lesson), lesson, session))


def named(policy: Policy | None, lesson: Lesson) -> Policy:
    """The contract, where it names every host of a lesson on another site; `ContractForbids` where it does not."""
    if policy is None or not policy.subprocessor_hosts.issuperset(lesson.hosts):
        raise ContractForbids("This lesson is on a site that your district's contract does not name (any more).")
    return policy


def _asked(policy: Policy, lesson: Lesson, session: LessonSession) -> Asked:
    kept = {one for one in TOLD if any(policy.keeps(one, PURPOSE, origin) for origin in Origin)}
    return Asked(
        act="lesson site", party=f"lesson:{lesson.id}", recipients=Recipients.LESSON_SITE,
        interest=log.Interest.SERVICE, purpose=PURPOSE,
        elements=frozenset({schedule.APP_ID, *kept}),
        population="person", provider="", person_id=session.person_id, payload={"session": str(session.id)},
    )  # fmt: skip
