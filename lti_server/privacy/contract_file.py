"""Contract files: read with every fault named by line, checked against themselves, and begun anew."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from marshmallow import ValidationError

from lti_server.errors import InvalidInput
from lti_server.privacy import schedule
from lti_server.privacy.located_yaml import Fault, Located, Path, read
from lti_server.privacy.model import Contract, Family, Purpose
from lti_server.privacy.schemas import ContractSchema

DIMENSION_ELEMENTS = {"school": schedule.SCHOOL, "grade": schedule.GRADE, "gender": schedule.GENDER}
NEVER_STORED = (schedule.BIRTH_DATE,)


def parse(text: str) -> Contract:
    """The contract of a file.

    Raises:
        InvalidInput: with every fault, as `/path` and a sentence that begins with the line.
    """
    contract, faults = check(text)
    if contract is None or faults:
        listed = [("/" + fault.path.replace(".", "/"), str(fault)) for fault in faults]
        raise InvalidInput.listing("The contract was not taken. " + " ".join(str(fault) for fault in faults), listed)
    return contract


def check(text: str) -> tuple[Contract | None, list[Fault]]:
    """The contract, or every fault in the order of the lines."""
    document, faults = read(text)
    if document is None or faults:
        return None, sorted(faults, key=lambda fault: fault.line)
    if not isinstance(document.value, dict):
        return None, [Fault(1, "", "a contract is a mapping of keys; see `lti-server contract new`.")]
    try:
        data = ContractSchema().load(document.value)
    except ValidationError as error:
        found = _flattened(error.messages, document, ())
        return None, sorted(found, key=lambda fault: fault.line)
    contract = _contract(data)
    return contract, sorted(_disagreements(contract, document), key=lambda fault: fault.line)


def _flattened(messages: Any, document: Located, path: Path) -> list[Fault]:
    """marshmallow's nested messages as faults; its words for keys of a mapping are no places."""
    if isinstance(messages, Mapping):
        return [
            fault
            for key, inner in messages.items()
            for fault in _flattened(inner, document, path if key in ("key", "value", "_schema") else (*path, str(key)))
        ]
    listed = messages if isinstance(messages, list) else [messages]
    return [Fault(document.line(path), ".".join(path), _worded(str(message))) for message in listed]


def _worded(message: str) -> str:
    common = {
        "Missing data for required field.": "is missing.",
        "Unknown field.": "is not a key of a contract; check its spelling.",
        "Field may not be null.": "is empty; give a value or take the key away.",
        "Not a valid date.": "must be a date such as 2026-08-01.",
        "Not a valid boolean.": "must be true or false, without quotes.",
        "Not a valid list.": "must be a list in square brackets.",
        "Not a valid mapping type.": "must be a mapping of keys.",
        "Invalid input type.": "must be a mapping of keys.",
        "Not a valid string.": "must be text.",
    }
    return common.get(message, message)


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
    )


def _disagreements(contract: Contract, document: Located) -> list[Fault]:
    """Where the file's parts do not fit each other."""
    found: list[tuple[Path, str]] = []
    for element, terms in contract.elements.items():
        place = ("elements", element)
        if element.endswith(".other") and not terms.specify:
            found.append(((*place, "specify"), "an element called other must say what it is (specify)."))
        if element in NEVER_STORED and terms.store:
            found.append(((*place, "store"), "a birth date becomes whole years and is never stored; set store: false."))
        for purpose in sorted(terms.purposes - contract.purposes):
            found.append(((*place, "purposes"), f"{purpose} is not among the contract's purposes."))
    for index, report in enumerate(contract.reports):
        dimensions = report["dimensions"]
        assert isinstance(dimensions, list)
        for dimension in dimensions:
            terms_of = contract.elements.get(DIMENSION_ELEMENTS[dimension])
            if terms_of is None or not terms_of.store or Purpose.PROGRESS_REPORTING not in terms_of.purposes:
                wanted = DIMENSION_ELEMENTS[dimension]
                message = f"{dimension} needs the element {wanted}, stored, for progress_reporting."
                found.append((("reports", str(index), "dimensions"), message))
    return [Fault(document.line(path), ".".join(path), message) for path, message in found]


def new(family: Family, today: date) -> str:
    """A contract to fill in, that passes `check` as it is: one year from today, the least that lessons need."""
    return _NEW.format(family=family.value, today=today.isoformat(), end=today.replace(year=today.year + 1, day=1))


_NEW = """\
# A district's data agreement. Whatever is not written here is refused.
contract: 1
family: {family}                   # ndpa1 | ndpa2 | local
signed_at: {today}
valid: {{from: {today}, to: {end}}}   # days in the district's time zone, both inclusive
purposes: [instruction]            # instruction | progress_reporting | evaluation

# Providers that may be used. Without this key: any provider, with the gradebook.
providers: {{lti: {{gradebook: true}}}}

# Elements of the NDPA Schedule of Data. An element that is absent is refused.
elements:
  student_name.first_and_or_last:
    {{collect: true, store: true, retain_days: 400, sources: [school], purposes: [instruction]}}
  student_identifiers.app_assigned_id:
    {{collect: true, store: true, retain_days: 400, sources: [school], purposes: [instruction]}}
  in_app_performance.program_performance:
    {{collect: true, store: true, retain_days: 400, sources: [student], purposes: [instruction]}}
  student_work.student_generated_content:
    {{collect: true, store: true, retain_days: 400, sources: [student], purposes: [instruction]}}

# Of teachers: name and identifier, unless this key says otherwise. E-mail only where it is listed.
educator_elements: [name, identifier]

# Every number carries its clause.
limits:
  breach_notice_hours: {{value: 72, clause: "Art. V 4"}}
  disposition_days: {{value: 60, clause: "Art. IV 6"}}
"""
