"""What one page of a provider would leave here under a contract; nothing is written and no value is shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from lti_server.providers.faults import server_errors
from lti_server.providers.manifest import Manifest
from lti_server.providers.records import PersonRole, RosterPage
from lti_server.providers.spi import RosterSource

Decide = Callable[[str], bool]
"""Whether the district's contract lets this element be collected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldVerdict:
    """One field about one kind of person. `kept` is none where no district was named; `values` counts this page's."""

    field: str
    about: str
    element: str | None
    values: int
    kept: bool | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    provider: str
    people: int
    sections: int
    memberships: int
    complete: bool
    fields: list[FieldVerdict]


def preview(name: str, manifest: Manifest, source: RosterSource | None, decide: Decide | None) -> Preview:
    """Read one page of the source, if there is one, and judge every field that is declared or came.

    Privacy: reads personal data of one page into memory, keeps counts alone.

    Raises:
        ProviderFailed and its kin: what the provider does wrong, in words for an administrator.
    """
    page = RosterPage(cursor=None, complete=True)
    if source is not None:
        with server_errors(name):
            page = next(iter(source.pages(None)), page)
    counts = _counted(page)
    declared = {
        (field, about)
        for field, use in manifest.fields.items()
        for about, element in (("pupil", use.pupil), ("educator", use.educator), ("guardian", use.guardian))
        if element is not None
    }
    verdicts = [
        _verdict(manifest, field, about, counts[field, about], decide)
        for field, about in sorted(declared | set(counts))
    ]
    return Preview(
        provider=name,
        people=len(page.people),
        sections=len(page.sections),
        memberships=len(page.memberships),
        complete=page.complete,
        fields=verdicts,
    )


def _counted(page: RosterPage) -> Counter[tuple[str, str]]:
    counts: Counter[tuple[str, str]] = Counter()
    for person in page.people:
        about = _ABOUT.get(person.role, "pupil")
        counts.update((field, about) for field in ("source_id", *person.present()))
    for section in page.sections:
        counts.update((field, "pupil") for field in section.present())
    return counts


_ABOUT = {
    PersonRole.TEACHER: "educator",
    PersonRole.STAFF: "educator",
    PersonRole.GUARDIAN: "guardian",
}
_ROLE = {"pupil": PersonRole.PUPIL, "educator": PersonRole.TEACHER, "guardian": PersonRole.GUARDIAN}


def _verdict(manifest: Manifest, field: str, about: str, values: int, decide: Decide | None) -> FieldVerdict:
    element = manifest.element(field, _ROLE[about])
    if element is None:
        kept, reason = False, "The plugin's manifest gives it no element of the schedule."
    elif decide is None:
        return FieldVerdict(
            field=field, about=about, element=element, values=values, kept=None, reason="Name a district to know."
        )
    else:
        kept = decide(element)
        reason = "" if kept else "The district's contract does not have this element."
    return FieldVerdict(field=field, about=about, element=element, values=values, kept=kept, reason=reason)
