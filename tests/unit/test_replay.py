"""Whatever the journal can tell of, a restore can do again."""

from __future__ import annotations

from lti_server.privacy.journal import JournalKind
from lti_server.replay import AGAIN


def test_each_kind_of_the_journal_is_done_again() -> None:
    assert set(AGAIN) == set(JournalKind)
