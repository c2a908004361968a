"""Contract files: read with every fault named by line, checked against themselves, and begun anew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from marshmallow import ValidationError

from lti_server.errors import InvalidInput
from lti_server.privacy import schedule
from lti_server.privacy.clauses import clause_of
from lti_server.privacy.located_yaml import Fault, Located, Path, read
from lti_server.privacy.model import Contract, Family, Purpose
from lti_server.privacy.schemas import ContractSchema

DIMENSION_ELEMENTS = {"school": schedule.SCHOOL, "grade": schedule.GRADE, "gender": schedule.GENDER}
NEVER_STORED = {schedule.BIRTH_DATE: "must be false: a birth date becomes whole years and is never stored."}
NOTHING = "none.no_student_data_collected"


def parse(text: str) -> Contract:
    """The contract of a file.

    Raises:
        InvalidInput: with every fault, as a pointer and a sentence that begins with the line, and as `problems`.
    """
    contract, faults = check(text)
    if contract is None:
        listed = [(fault.pointer, str(fault)) for fault in faults]
        count = "one fault" if len(faults) == 1 else f"{len(faults)} faults"
        refusal = InvalidInput.listing(f"The contract was not taken: it has {count}.", listed)
        raise InvalidInput(refusal.detail, public={**refusal.public, "problems": [str(fault) for fault in faults]})
    return contract


def check(text: str) -> tuple[Contract | None, list[Fault]]:
    """The contract, or every fault of form, type and sense, in the order of the lines."""
    document, faults = read(text)
    if document is None:
        return None, _named(None, faults)
    if not isinstance(document.value, dict):
        fault = Fault(1, (), "a contract is a mapping of keys; see `lti-server contract new`.")
        return None, _named(None, [fault])
    data: Any = None
    try:
        data = ContractSchema().load(document.value)
    except ValidationError as error:
        # A value that could not be read was named already; what it lacks then follows from that.
        named = {fault.place for fault in faults}
        faults += [fault for fault in _flattened(error.messages, document, ()) if fault.place not in named]
    faults += _disagreements(document)
    if faults:
        return None, sorted(_named(document.value, faults), key=lambda fault: (fault.line, fault.place))
    return _contract(data), []


def _named(document: Any, faults: Iterable[Fault]) -> list[Fault]:
    """Each fault with the clause of the agreement that it is about."""
    return [replace(fault, clause=clause_of(document, fault.place)) for fault in faults]


def _flattened(messages: Any, document: Located, path: Path) -> list[Fault]:
    """marshmallow's nested messages as faults. `key` and `value` below an entry of a mapping are its own words."""
    if isinstance(messages, Mapping):
        entry = len(path) == 2 and path[0] in ("providers", "elements", "limits")
        found: list[Fault] = []
        for name, inner in messages.items():
            own = name == "_schema" or (entry and name in ("key", "value"))
            # Below `value` the path does not grow, so that a limit's own key `value` is not mistaken for it.
            found += _inside(inner, document, path) if own else _flattened(inner, document, (*path, str(name)))
        return found
    listed = messages if isinstance(messages, list) else [messages]
    return [Fault(document.line(path), path, _worded(str(message))) for message in listed]


def _inside(messages: Any, document: Located, path: Path) -> list[Fault]:
    if not isinstance(messages, Mapping):
        return _flattened(messages, document, path)
    return [
        fault
        for name, inner in messages.items()
        for fault in _flattened(inner, document, path if name == "_schema" else (*path, str(name)))
    ]


def _worded(message: str) -> str:
    return _WORDS.get(message, message)


_WORDS = {
    "Missing data for required field.": "is missing.",
    "Unknown field.": "is not a key of a contract; check its spelling.",
    "Field may not be null.": "is empty; give a value or take the key away.",
    "Not a valid date.": "must be a date such as 2026-08-01.",
    "Not a valid boolean.": "must be true or false, without quotes.",
    "Not a valid list.": "must be a list in square brackets.",
    "Not a valid mapping type.": "must be a mapping of keys.",
    "Invalid input type.": "must be a mapping of keys.",
    "Not a valid string.": "must be text; put it in quotes.",
    "Not a valid email address.": "must be an e-mail address.",
}


def _contract(data: Mapping[str, Any]) -> Contract:
    return Contract(
        family=data["family"],
        signed_at=data["signed_at"],
        valid_from=data["valid"]["since"],
        valid_to=data["valid"]["to"],
        purposes=frozenset(Purpose(word) for word in data["purposes"]),
        providers=data.get("providers"),
        elements=data["elements"],
        educator_elements=frozenset(data.get("educator_elements", ("name", "identifier"))),
        limits=data.get("limits", {}),
        reports=tuple(data.get("reports", ())),
        evaluators=tuple(data.get("evaluators", ())),
        subprocessors=tuple(data.get("subprocessors", ())),
        statutes=frozenset(data.get("statutes", ())),
        offer=data.get("offer"),
    )


def _disagreements(document: Located) -> list[Fault]:
    """Where the file's parts do not fit each other; read from the plain values, so that no other fault hides one."""
    raw = _mapping(document.value)
    purposes = _words(raw.get("purposes"))
    elements = {name: _mapping(terms) for name, terms in _mapping(raw.get("elements")).items()}
    found = [*_elements_at_odds(elements, purposes), *_reports_at_odds(_list(raw.get("reports")), elements)]
    for index, evaluator in enumerate(_list(raw.get("evaluators"))):
        asked = _words(_mapping(evaluator).get("purposes"))
        found += _not_among(asked, purposes, ("evaluators", str(index), "purposes"))
    return [Fault(document.line(path), path, message) for path, message in found]


def _elements_at_odds(
    elements: Mapping[str, Mapping[str, Any]], purposes: frozenset[str]
) -> Iterator[tuple[Path, str]]:
    for element, terms in elements.items():
        place = ("elements", element)
        if element.endswith(".other") and "specify" not in terms:
            yield (*place, "specify"), "is missing; an element called other must say what it is."
        if element in NEVER_STORED and terms.get("store") is True:
            yield (*place, "store"), NEVER_STORED[element]
        if element == NOTHING and len(elements) > 1:
            yield place, "says that no data of pupils are collected, and stands beside elements that are."
        yield from _not_among(_words(terms.get("purposes")), purposes, (*place, "purposes"))


def _reports_at_odds(reports: list[Any], elements: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[Path, str]]:
    for index, report in enumerate(reports):
        for position, dimension in enumerate(_list(_mapping(report).get("dimensions"))):
            wanted = DIMENSION_ELEMENTS.get(dimension) if isinstance(dimension, str) else None
            terms = elements.get(wanted, {}) if wanted else None
            if terms is None or (
                terms.get("collect") is True
                and terms.get("store") is True
                and Purpose.PROGRESS_REPORTING in _words(terms.get("purposes"))
            ):
                continue
            message = f"{dimension} needs the element {wanted}, stored, for progress_reporting."
            yield ("reports", str(index), "dimensions", str(position)), message


def _not_among(asked: frozenset[str], purposes: frozenset[str], place: Path) -> Iterator[tuple[Path, str]]:
    """Purposes of a part that the whole does not have; where the whole names none, that is the fault."""
    for purpose in sorted(asked & frozenset(Purpose) - purposes) if purposes else ():
        yield place, f"{purpose} is not among the contract's purposes."


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _words(value: Any) -> frozenset[str]:
    return frozenset(word for word in _list(value) if isinstance(word, str))


def new(family: Family, today: date) -> str:
    """A contract to fill in, that passes `check` as it is: one year from today, the least that lessons need."""
    end = today.replace(year=today.year + 1, day=min(today.day, 28))
    return _NEW.format(family=family.value, today=today.isoformat(), end=end.isoformat())


# Lines of two hashes are words; lines of one are the file's own, and can be taken in by removing "# ".
_NEW = """\
## A district's data agreement. Whatever is not written here is refused. Every key: docs/reference/contract-file.md
contract: 1
family: {family}                   # ndpa1 | ndpa2 | local
signed_at: {today}
valid: {{from: {today}, to: {end}}}   # days in the district's time zone, both inclusive
purposes: [instruction]            # instruction | progress_reporting | evaluation

## Providers that may be used. Without this key: any provider, with the gradebook and every class.
## Some classes alone: {{population: {{schools: [Hill Elementary], sections: [an id of the provider]}}}}
providers: {{lti: {{gradebook: true}}}}

## Elements of the NDPA Schedule of Data. An element that is absent is refused.
elements:
  student_name.first_and_or_last:
    {{collect: true, store: true, retain_days: 400, sources: [school], purposes: [instruction]}}
  student_identifiers.app_assigned_id:
    {{collect: true, store: true, retain_days: 400, sources: [school], purposes: [instruction]}}
  in_app_performance.program_performance:
    {{collect: true, store: true, retain_days: 400, sources: [student], purposes: [instruction]}}
  student_work.student_generated_content:
    {{collect: true, store: true, retain_days: 400, sources: [student], purposes: [instruction]}}
  ## The district's own id: a pupil of a roster and the same pupil in the LMS become one person.
  # student_identifiers.local_district_id:
  #   {{collect: true, store: true, retain_days: 400, sources: [school], purposes: [instruction]}}

## Of teachers: name and identifier, unless this key says otherwise. E-mail only where it is listed.
educator_elements: [name, identifier]

## Every number carries its clause.
limits:
  breach_notice_hours: {{value: 72, clause: "Art. V 4"}}
  disposition_days: {{value: 60, clause: "Art. IV 6"}}

## Laws that bind the district (Exhibit G): of each number the strictest is obeyed.
# statutes: [ferpa]

## The same terms for other districts, until three years after this signature.
# offer: {{signed_at: {today}, clause: "Exhibit E"}}

## Who receives reports. Wants the purpose progress_reporting above, and the element of each dimension.
# reports:
#   - audience: district
#     level: aggregate
#     dimensions: []
#     min_n: {{value: 10, clause: "Exhibit H 2"}}
#     recipients: [{{name: Data office, email: data@district.example, role: data_steward}}]

## Who receives pseudonymous exports. Wants the purpose evaluation above.
# evaluators: [{{name: Independent Research, purposes: [evaluation], min_k: 10, expires: {end}}}]

## Who else holds or sees data: the hosts of lessons on other sites must stand here.
# subprocessors: [{{name: A lesson's site, hosts: [lesson.example]}}]
"""
