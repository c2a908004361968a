"""The property of a revocation (I1 to I5), as histories of processes that are stopped, killed and revoked under."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from lti_server.accounts.store import Source
from lti_server.errors import Conflict
from lti_server.house import House
from lti_server.ids import SectionId, new_id
from lti_server.lti.registrations import Platform
from lti_server.privacy import revocation
from lti_server.privacy.districts import District
from lti_server.roster.arrival import CourseSaid, put_section
from tests.benchmarks.revocation.provider import Provider
from tests.benchmarks.revocation.workers import Act, Ids, Point, Worker

WORKERS = 4
NUMBERS = st.integers(0, WORKERS - 1)
FENCED = frozenset({Point.SENDING, Point.ANSWERED})
# Everything that a grant brought or that goes out by it, as one number: what is committed later changes it.
DERIVED = """
SELECT md5(string_agg(line, '|' ORDER BY line)) FROM (
  SELECT 'm' || m::text AS line FROM membership m WHERE grant_id = :grant
  UNION ALL SELECT 'f' || f.person_id || f.field || f.epoch || md5(f.fingerprint) FROM person_field f
    WHERE grant_id = :grant
  UNION ALL SELECT 'i' || i.id || coalesce(i.ended_at::text, '-') FROM identity i WHERE grant_id = :grant
  UNION ALL SELECT 's' || s::text FROM session s WHERE grant_id = :grant
  UNION ALL SELECT 'd' || d::text FROM grade_delivery d WHERE grant_id = :grant
  UNION ALL SELECT 'c' || c.id || coalesce(c.line_item_url, '-') FROM grade_column c JOIN resource_link l
    ON l.id = c.resource_link_id WHERE l.grant_id = :grant
  UNION ALL SELECT 't' || t.scopes || t.epoch FROM service_token t JOIN registration r ON r.id = t.registration_id
    WHERE r.grant_id = :grant
  UNION ALL SELECT 'r' || r.removed_at FROM registration r WHERE grant_id = :grant) AS lines
"""


@dataclass
class Tally:
    """What all histories came to."""

    histories: int = 0
    acts: Counter[str] = field(default_factory=Counter)
    stops: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    sent_after: int = 0
    written_after: int = 0
    waited: int = 0
    let_past_the_first_phase: int = 0
    half_pages: int = 0


@dataclass
class Place:
    """What the histories share: the parts, the provider, and the processes."""

    house: House
    district: District
    provider: Provider
    workers: list[Worker]
    tally: Tally = field(default_factory=Tally)

    def connection(self, number: int) -> Ids:
        """A new LMS with a class that was read and a score on its way."""
        client = f"client-{number}-{uuid4().hex[:8]}"
        base = f"{self.provider.address}/{client}"
        made = self.house.registrations.add(
            self.district.id,
            Platform(
                issuer="https://lms.example", client_id=client, auth_login_url="https://lms.example/auth",
                auth_token_url=f"{base}/token", jwks_url=f"{base}/jwks", token_audience=None, shared_id=True,
                deployment_ids=("1",),
            ),
        )  # fmt: skip
        source = Source(grant_id=made.grant_id, epoch=1, run_id=None, at=self.house.clock.now())
        said = CourseSaid(scope="1", source_id=client, name="Class", memberships_url=f"{base}/members")
        with self.house.database.tenant(self.district.id) as connection:
            section = put_section(connection, self.district.id, source, said)
        self.house.sync_roster()(self.district, section_id=section)
        with self.house.database.tenant(self.district.id) as connection:
            delivery = _delivery(connection, self.district, made.grant_id, f"{base}/column", self.house)
        return Ids(client, self.district.id, made.grant_id, SectionId(section), delivery)

    def derived(self, ids: Ids) -> str:
        with self.house.database.tenant(self.district.id) as connection:
            return str(connection.execute(sa.text(DERIVED), {"grant": ids.grant}).scalar_one())

    def revoke(self, ids: Ids) -> None:
        self.house.grants.withdraw.begin(ids.district, ids.grant, by="history", reason="a history")

    def finish(self, ids: Ids, patience_s: float) -> bool:
        return self.house.grants.withdraw.finish(ids.district, ids.grant, patience_s=patience_s)


def _delivery(connection: sa.Connection, district: District, grant: Any, column: str, house: House) -> Any:
    values = {
        "link": new_id(), "column": new_id(), "delivery": new_id(), "district": district.id, "grant": grant,
        "url": column, "now": house.clock.now(), "at": house.clock.now() - timedelta(seconds=5),
    }  # fmt: skip
    for statement in (
        "INSERT INTO resource_link (id, district_id, grant_id, deployment_row_id, resource_link_id, lesson_id,"
        " lineitem_url, ags_scopes, created_at) SELECT :link, :district, :grant, d.id, 'link', 'turtle-garden', :url,"
        " '{https://purl.imsglobal.org/spec/lti-ags/scope/score}', :now"
        " FROM deployment d JOIN registration r ON r.id = d.registration_id WHERE r.grant_id = :grant",
        "INSERT INTO grade_column (id, district_id, resource_link_id, activity_id, created_at)"
        " VALUES (:column, :district, :link, '', :now)",
        "INSERT INTO grade_delivery (id, district_id, column_id, person_id, identity_id, grant_id, epoch, state, score,"
        " completed, score_at, attempted, attempts, queued_at) SELECT :delivery, :district, :column, i.person_id, i.id,"
        " :grant, 1, 'queued', 0.5, false, :at, false, 0, :now FROM identity i WHERE i.grant_id = :grant LIMIT 1",
    ):
        connection.execute(sa.text(statement), values)
    return values["delivery"]


class History(RuleBasedStateMachine):
    """One history of one grant."""

    place: Place

    def __init__(self) -> None:
        super().__init__()
        self.begun = self.acknowledged = False
        self.suspended = False
        self.sent = 0
        self.stood = ""

    @initialize()
    def connect(self) -> None:
        self.place.tally.histories += 1
        self.ids = self.place.connection(self.place.tally.histories)

    # What a rule may do depends on how the processes fared, so that no precondition may: it would be flaky.
    @rule(
        which=NUMBERS, act=st.sampled_from(Act), point=st.sampled_from([*Point, None]),
        nth=st.sampled_from([1, 1, 1, 2, 3]), end=st.booleans(),
    )  # fmt: skip
    def step(self, which: int, act: Act, point: Point | None, nth: int, end: bool) -> None:
        """A free process acts, up to a point or to its end; a stopped one goes on or is killed."""
        worker = self.place.workers[which]
        if worker.stopped_at is None:
            self._act(worker, act, point, nth)
        elif end:
            self.place.tally.kills[worker.stopped_at.value] += 1
            worker.kill()
        else:
            worker.go_on()

    def _act(self, worker: Worker, act: Act, point: Point | None, nth: int) -> None:
        if act in (Act.SYNC, Act.SCORE) and any(one.act is act for one in self.place.workers):
            act = Act.TOKEN  # one sync a district, one delivery of a score: they would wait for the stopped one
        before = self.place.provider.of(self.ids.client)
        ended = worker.begin(act, self.ids, point, nth)
        self.place.tally.acts[act.value] += 1
        if ended is None:
            self.place.tally.stops[str(point and point.value)] += 1
        if self.begun or self.suspended:
            self.place.tally.let_past_the_first_phase += self.place.provider.of(self.ids.client) - before
            assert self.place.provider.of(self.ids.client) == before, f"{act} went out after the first phase"
            assert ended is None or act in (Act.SCORE, Act.SYNC) or ended.startswith("refused"), ended

    @precondition(lambda self: not self.begun)
    @rule()
    def freeze_and_thaw(self) -> None:
        move = self.place.house.grants.withdraw
        change = move.resume if self.suspended else move.suspend
        change(self.ids.district, self.ids.grant, by="history")
        self.suspended = not self.suspended

    @precondition(lambda self: not self.begun)
    @rule()
    def revoke(self) -> None:
        self.place.revoke(self.ids)
        self.begun = True

    @precondition(lambda self: self.begun)
    @rule()
    def finish(self) -> None:
        if self.acknowledged:
            return
        holders = [one for one in self.place.workers if one.stopped_at in FENCED]
        stopped = any(one.stopped_at is not None for one in self.place.workers)
        finished = self.place.finish(self.ids, 0.0 if stopped else 10.0)
        assert not (finished and holders), "acknowledged while a stopped process held the fence"
        self.place.tally.waited += not finished
        if finished:
            self._acknowledge()

    @precondition(lambda self: self.begun)
    @rule()
    def nobody_leads_back(self) -> None:
        for back in (self.place.house.grants.withdraw.resume, self.place.house.grants.withdraw.suspend):
            try:
                back(self.ids.district, self.ids.grant, by="history")
            except Conflict:
                continue
            raise AssertionError("a revoked grant came back")

    def _acknowledge(self) -> None:
        self.acknowledged = True
        self.sent, self.stood = self.place.provider.of(self.ids.client), self.place.derived(self.ids)

    def teardown(self) -> None:
        """Whoever is stopped goes on; the grant is revoked to the end; everything is tried once more."""
        if not hasattr(self, "ids"):
            return
        if not self.begun:
            self.place.revoke(self.ids)
        # Whoever stands before a commit may hold a row that is to be ended: it is waited for, as a page is.
        waits = FENCED | {Point.COMMITTING}
        finish_first = self.acknowledged or not any(one.stopped_at in waits for one in self.place.workers)
        if finish_first and not self.acknowledged:
            assert self.place.finish(self.ids, 20.0)
            self._acknowledge()
        for worker in self.place.workers:
            if worker.stopped_at is not None:
                worker.go_on()
        if not self.acknowledged:
            assert self.place.finish(self.ids, 20.0)
            self._acknowledge()
        for worker, act in zip(self.place.workers, Act, strict=False):
            worker.begin(act, self.ids, None)
        self._judge()

    def _judge(self) -> None:
        sent = self.place.provider.of(self.ids.client) - self.sent
        written = self.place.derived(self.ids) != self.stood
        halves = self._half_pages()
        self.place.tally.sent_after += sent
        self.place.tally.written_after += written
        self.place.tally.half_pages += halves
        assert sent == 0, "a request arrived after the acknowledgement"
        assert not written, "something was committed after the acknowledgement"
        assert not halves, "a page was kept by halves"

    def _half_pages(self) -> int:
        """Both pupils of the page, or none (I5)."""
        with self.place.house.database.tenant(self.place.district.id) as connection:
            found = connection.execute(
                sa.text("SELECT count(*) FROM membership WHERE section_id = :id AND ended_at IS NULL"),
                {"id": self.ids.section},
            ).scalar_one()
            tokens = connection.execute(
                sa.text(
                    "SELECT count(*) FROM service_token WHERE registration_id IN"
                    " (SELECT id FROM registration WHERE grant_id = :grant)"
                ),
                {"grant": self.ids.grant},
            ).scalar_one()  # fmt: skip
        return int(found not in (0, 2)) + int(tokens)


def machine(place: Place) -> type[RuleBasedStateMachine]:
    """The state machine over this place; each run of it is one history."""
    revocation.LOOK_EVERY = "60ms"
    return type("HistoryHere", (History,), {"place": place})
