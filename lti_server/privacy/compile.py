"""From a contract to the sets that every decision reads, and what a contract leaves off in plain words."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from datetime import date
from enum import Enum

from lti_server.privacy import schedule
from lti_server.privacy.limits import strictest
from lti_server.privacy.model import Contract, Limit, Origin, Policy, Purpose
from lti_server.privacy.whom import Population


def compile_policy(contract: Contract) -> Policy:
    """The policy of a contract. Deterministic: the same terms in another order give the same hash."""
    kept: dict[tuple[Purpose, Origin], set[str]] = {}
    for element, terms in contract.elements.items():
        if terms.collect and terms.store and element not in schedule.NEVER_KEPT:
            for purpose in terms.purposes & contract.purposes:
                for origin in terms.origins:
                    kept.setdefault((purpose, origin), set()).add(element)
    limits = strictest(contract.limits, contract.statutes)
    hosts = [host for entry in contract.subprocessors for host in _texts(entry.get("hosts"))]
    return Policy(
        policy_hash=_hash(contract, limits),
        kept={key: frozenset(elements) for key, elements in kept.items()},
        educator_elements=contract.educator_elements,
        providers=contract.providers,
        subprocessor_hosts=frozenset(host.lower() for host in hosts),
        limits=limits,
        retain_days=_retain_days(contract),
        purposes=contract.purposes,
        age_from=_age_from(contract),
    )


def _retain_days(contract: Contract) -> dict[str, int]:
    """How long each element is kept. One that serves no purpose of the contract is kept no day at all."""
    return {
        element: terms.retain_days
        for element, terms in contract.elements.items()
        if terms.collect
        and terms.store
        and element not in schedule.NEVER_KEPT
        and terms.retain_days is not None
        and terms.purposes & contract.purposes
    }


def _age_from(contract: Contract) -> frozenset[Origin]:
    terms = contract.elements.get(schedule.BIRTH_DATE)
    if terms is None or not terms.collect or not terms.purposes & contract.purposes:
        return frozenset()
    return frozenset(terms.origins)


def _texts(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, (list, tuple)) else []


def _hash(contract: Contract, limits: Mapping[str, Limit]) -> str:
    """Over what was signed, and over the numbers that statutes make of it."""
    said = {"contract": _plain(contract), "limits": _plain(limits)}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _plain(value: object) -> object:
    """A value as JSON that does not depend on the order of sets and mappings."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (frozenset, set)):
        return sorted(str(_plain(item)) for item in value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, date):
        return value.isoformat()
    return value


_LEFT_OFF = (
    (schedule.NAME, Purpose.INSTRUCTION, Origin.SCHOOL, "Pupils have no names here: teachers see “Learner 7”."),
    (
        schedule.APP_ID,
        Purpose.INSTRUCTION,
        Origin.SCHOOL,
        "No grade goes back to the LMS: the pupil's id there is kept as a keyed hash alone. "
        "No lesson on another site opens: it knows its pupils by an id.",
    ),
    (
        schedule.PERFORMANCE,
        Purpose.INSTRUCTION,
        Origin.STUDENT,
        "No progress is saved: lessons can be played, and forget.",
    ),
    (
        schedule.WORK,
        Purpose.INSTRUCTION,
        Origin.STUDENT,
        "Pupils' work and written answers are not kept: a lesson resumes without them.",
    ),
    (
        schedule.LOCAL_ID,
        Purpose.INSTRUCTION,
        Origin.SCHOOL,
        "A pupil of the roster and the same pupil in the LMS stay two people: no shared id links them.",
    ),
    (
        schedule.COURSES,
        Purpose.INSTRUCTION,
        Origin.SCHOOL,
        "No title of a course is kept: a class shows its own name alone.",
    ),
)
_EDUCATOR_LEFT_OFF = (
    ("name", "Teachers have no names here."),
    ("identifier", "A teacher's id in the LMS is kept as a keyed hash alone."),
    ("email", "No message reaches a teacher: no e-mail address is kept."),
)


LEFT_OUT = {
    frozenset({"schools"}): "Nobody comes in but from classes whose school is known here and named.",
    frozenset({"sections"}): "Nobody comes in but from the classes that are named.",
    frozenset({"schools", "sections"}): "Nobody comes in but from the classes that are named, in schools that are.",
}


def features_left_off(contract: Contract) -> list[str]:
    """One sentence for each feature that this contract leaves off."""
    policy = compile_policy(contract)
    phone = contract.elements.get(schedule.PHONE)
    found = [
        f"{sentence} ({element})"
        for element, purpose, origin, sentence in _LEFT_OFF
        if not policy.keeps(element, purpose, origin)
    ]
    found += [
        f"{sentence} (educator_elements: {element})"
        for element, sentence in _EDUCATOR_LEFT_OFF
        if element not in policy.educator_elements
    ]
    if contract.providers is not None and "lti" not in contract.providers:
        found.append("No launch from an LMS is accepted. (providers)")
    elif not policy.gradebook("lti"):
        found.append("No grade goes back to the LMS. (providers.lti.gradebook)")
    for name, terms in sorted((contract.providers or {}).items()):
        if isinstance(terms.population, Population):
            found.append(f"{LEFT_OUT[frozenset(terms.population.plain())]} (providers.{name}.population)")
    if phone is not None and phone.store:
        found.append(f"No telephone number of a pupil is kept, though the contract would let it. ({schedule.PHONE})")
    if not contract.reports:
        found.append("Nobody outside the classroom receives reports. (reports)")
    elif not policy.keeps(schedule.PERFORMANCE, Purpose.PROGRESS_REPORTING, Origin.STUDENT):
        found.append(
            f"Reports have nothing to say: progress is not kept for progress_reporting. ({schedule.PERFORMANCE})"
        )
    if not contract.evaluators:
        found.append("No evaluator receives an export. (evaluators)")
    if not contract.subprocessors:
        found.append("No lesson on another site opens. (subprocessors)")
    return found
