"""What a plugin promises that tells of people: declared fields, and nobody lost for an odd name."""

from __future__ import annotations

from collections.abc import Collection

from lti_server.providers.records import SourcePerson, SourceSection
from lti_server.testing.alterations import HOSTILE_EMAILS, HOSTILE_NAMES, values_replaced
from lti_server.testing.applying import only_where
from lti_server.testing.contract import NAME_FIELDS, ProviderContract, Run, instead
from lti_server.testing.recorded import Alter


class PeopleContract(ProviderContract):
    """The roster and sign-in contracts build on it."""

    def test_every_field_is_declared(self) -> None:
        """A field that the manifest does not name would be refused for every district."""
        run = self.good()
        sections = [section for page in run.pages for section in page.sections]
        records: list[SourcePerson | SourceSection] = [*run.people, *sections]
        for name in sorted({name for record in records for name in record.present()}):
            assert name in self.manifest.fields, f"the manifest's fields do not name {name}"

    @only_where(lambda self: self.told(*NAME_FIELDS, "email"), "the recording has no name and no e-mail")
    def test_hostile_values_pass(self) -> None:
        """Empty, null, endless and odd names and e-mails lose nobody: people are known by their id alone."""
        good = self.good()
        ids = sorted(person.source_id for person in good.people)
        names, emails = self.told(*NAME_FIELDS), self.told("email")
        trials = [(names, value) for value in HOSTILE_NAMES] + [(emails, value) for value in HOSTILE_EMAILS]
        for replaced, value in trials:
            run = self.run(self.replaced(replaced, value))
            assert run.error is None, instead(run, f"the hostile value {str(value)[:40]!r}")
            now = sorted(person.source_id for person in run.people)
            assert now == ids, f"the hostile value {str(value)[:40]!r} changes who is there"

    def told(self, *names: str) -> set[str]:
        """What a good run tells in these fields of anybody."""
        good: Run = self.good()
        return {getattr(person, name) for person in good.people for name in names} - {""}

    def replaced(self, values: Collection[str], by: object) -> Alter:
        """Every answer that tells one of `values` tells `by` instead."""
        return values_replaced(values, by)
