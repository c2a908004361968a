"""The contract of a RosterSource."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, ClassVar

from lti_server.providers.completeness import to_the_end
from lti_server.providers.errors import BrokeContract
from lti_server.providers.records import Cursor, RecordKind, RosterPage
from lti_server.testing.applying import only_where
from lti_server.testing.contract import Run
from lti_server.testing.lists import ListContract
from lti_server.testing.people import PeopleContract
from lti_server.testing.recorded import FakeClock, Recording

Key = tuple[RecordKind, str, str]


class RosterSourceContract(PeopleContract, ListContract):
    """Inherit, say `provider`, `config`, `recording` and `removal`, and every check runs.

    `removal` is the same provider later, after someone or something left: what it answers to a read since the
    checkpoint of the first recording, or to a second whole read where it has no changes to tell.
    """

    removal: ClassVar[Recording]

    def exercise(self, plugin: Any, run: Run) -> None:
        self._read(None)(plugin, run)

    def found_anything(self, run: Run) -> bool:
        return bool(_everything(run.pages))

    def _read(self, since: Cursor | None) -> Callable[[Any, Run], None]:
        def read(plugin: Any, run: Run) -> None:
            for page in plugin.pages(since):
                run.pages.append(page)

        return read

    def test_ids_are_the_same_in_two_runs(self) -> None:
        """Who and what is there has the same ids a day later."""
        clock = FakeClock(self.now + timedelta(days=1))
        first, second = self.good(), self.run(clock=clock)
        assert set(_everything(first.pages)) == set(_everything(second.pages)), "ids change between two runs"

    def test_nothing_comes_twice(self) -> None:
        """Each person, section and membership comes once in a read."""
        keys = _keys(self.good().pages)
        twice = sorted({key[0].value for key in keys if keys.count(key) > 1})
        assert not twice, f"a {', a '.join(twice)} comes twice in one read"

    def test_only_the_last_page_says_that_it_is_the_last(self) -> None:
        """It alone is complete and has no cursor, and what was announced did come; else the read counts for nothing."""
        try:
            list(to_the_end(self.good().pages))
        except BrokeContract as fault:
            raise AssertionError(str(fault)) from None

    @only_where(lambda self: any(page.cursor for page in self.good().pages), "the read has one page alone")
    def test_a_read_resumed_from_any_cursor_gives_the_same(self) -> None:
        """The pages so far and the rest from a page's cursor are together the whole read."""
        pages = self.good().pages
        whole = _everything(pages)
        for number, page in enumerate(pages, start=1):
            if page.cursor is None:
                continue
            rest = self.run(use=self._read(page.cursor))
            assert rest.error is None, f"the read cannot be resumed after page {number}"
            together = _everything([*pages[:number], *rest.pages])
            assert together == whole, f"resumed after page {number}, the read gives something else"

    @only_where(lambda self: _everything(self.good().pages), "the recording has nobody and nothing that could leave")
    def test_a_removal_is_told(self) -> None:
        """Among changes, who left has a tombstone; in a whole read, who left is absent from it."""
        pages = self.good().pages
        before = _everything(pages)
        since = pages[-1].checkpoint
        later = self.run(use=self._read(since), recording=self._said("removal"))
        assert later.error is None, "the plugin fails on its `removal` recording"
        unused = later.transport.unused()
        assert not unused, f"nothing asks for {unused[0]} of the `removal` recording"
        if any(page.delta for page in later.pages):
            buried = [grave for page in later.pages for grave in page.tombstones]
            assert buried, "someone left, and no tombstone says so"
        else:
            assert set(before) - set(_everything(later.pages)), "someone left, and is still there"


def _keys(pages: Iterable[RosterPage]) -> list[Key]:
    return [key for page in pages for key in _of(page)]


def _everything(pages: Iterable[RosterPage]) -> dict[Key, object]:
    return {key: record for page in pages for key, record in _of(page).items()}


def _of(page: RosterPage) -> dict[Key, object]:
    found: dict[Key, object] = {(RecordKind.PERSON, one.source_id, ""): one for one in page.people}
    found |= {(RecordKind.SECTION, one.source_id, ""): one for one in page.sections}
    found |= {
        (RecordKind.MEMBERSHIP, one.section_source_id, f"{one.person_source_id} {one.role}"): one
        for one in page.memberships
    }
    return found
