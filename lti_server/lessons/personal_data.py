"""What the catalogue keeps: lessons, which are everybody's."""

from __future__ import annotations

from lti_server.privacy.holdings import Table, nobody
from lti_server.privacy.participants import Declared

CATALOGUE_DATA = Declared(
    name="lessons", tables=(Table(name="lesson", columns=nobody("id definition added_at", "a lesson")),)
)
