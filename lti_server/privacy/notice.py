"""The privacy notice from the same schedule that the gates enforce, and what a contract makes of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lti_server.privacy import schedule
from lti_server.privacy.clauses import clause_of
from lti_server.privacy.compile import compile_policy
from lti_server.privacy.model import Contract, Limit, Purpose

USED: frozenset[str] = frozenset({*schedule.PUPIL_FIELDS.values(), *schedule.WORK_FIELDS.values()})
"""Every element that some field can stand for. No other is ever asked for, whatever a contract says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One element of pupils: in which form it can be kept at all, and what one contract lets come, stay and leave.

    `days` is None where it is not stored. `leaves` are words: gradebook, district, school, evaluator.
    """

    element: str
    form: str
    collect: bool = False
    days: int | None = None
    origins: tuple[str, ...] = ()
    purposes: tuple[str, ...] = ()
    leaves: tuple[str, ...] = ()
    clause: str = ""


def schedule_lines() -> tuple[Line, ...]:
    """What this server has a use for, under any contract."""
    return tuple(Line(element=element, form=form_of(element)) for element in sorted(USED))


def form_of(element: str) -> str:
    """A word for the form in which an element is kept."""
    if element == schedule.BIRTH_DATE:
        return "years"
    if element in schedule.NEVER_KEPT:
        return "never"
    return "hash" if element == schedule.EMAIL else "kept"


def contract_lines(contract: Contract) -> tuple[Line, ...]:
    """One line for each element of a contract, as the gates obey it."""
    policy = compile_policy(contract)
    return tuple(
        Line(
            element=element,
            form=form_of(element),
            collect=terms.collect and element in USED,
            days=policy.retain_days.get(element) if element in USED else None,
            origins=tuple(sorted(one.value for one in terms.origins)),
            purposes=tuple(sorted(one.value for one in terms.purposes & contract.purposes)),
            leaves=tuple(_leaves(contract, element)) if element in USED else (),
            clause=clause_of(None, ("elements", element)),
        )
        for element, terms in sorted(contract.elements.items())
    )


def _leaves(contract: Contract, element: str) -> Iterator[str]:
    terms = contract.elements[element]
    if not (terms.collect and terms.store) or element in schedule.NEVER_KEPT:
        return
    gradebook = contract.providers is None or any(one.gradebook for one in contract.providers.values())
    if gradebook and element in (schedule.APP_ID, schedule.PERFORMANCE) and Purpose.INSTRUCTION in terms.purposes:
        yield "gradebook"
    if Purpose.PROGRESS_REPORTING in terms.purposes:
        for audience in ("district", "school"):
            if any(_shown(report, audience, element) for report in contract.reports):
                yield audience
    if contract.evaluators and Purpose.EVALUATION in terms.purposes and element == schedule.PERFORMANCE:
        yield "evaluator"


def _shown(report: Mapping[str, object], audience: str, element: str) -> bool:
    if report.get("audience") != audience:
        return False
    if element == schedule.PERFORMANCE:
        return True
    dimensions = {"school": schedule.SCHOOL, "grade": schedule.GRADE, "gender": schedule.GENDER}
    named = report.get("dimensions")
    return isinstance(named, list) and any(dimensions.get(str(one)) == element for one in named)


def limits_in_force(contract: Contract) -> Mapping[str, Limit]:
    """The numbers that are obeyed: the strictest of contract and statutes, with their clauses."""
    return compile_policy(contract).limits
