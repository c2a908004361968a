"""What is wider than before is found, wherever it hides; what is narrower is not taken for wider."""

from __future__ import annotations

import pytest

from lti_server.privacy.comparison import widened
from lti_server.privacy.contract_file import parse
from tests.unit.privacy.contract_text import TERMS, written

NAME, GENDER = "student_name.first_and_or_last", "demographics.gender"
OTHER, UNSTORED = "student_work.other", TERMS.replace("store: true, retain_days: 400", "store: false")
REPORT = "{audience: district, level: aggregate, dimensions: [%s], min_n: {value: %d, clause: H}, recipients: []}"
USUAL = {NAME: TERMS, GENDER: TERMS, "enrollment.grade_level": TERMS.replace("instruction", "progress_reporting")}
# Each: the narrower file, the wider one, and where it is wider.
PAIRS = {
    "an element": (
        written(elements={NAME: TERMS}), written(elements={NAME: TERMS, GENDER: TERMS}), f"elements.{GENDER}",
    ),
    "days": (
        written(elements={NAME: TERMS.replace("400", "399")}), written(elements={NAME: TERMS}),
        f"elements.{NAME}.retain_days",
    ),
    "a source": (
        written(elements={NAME: TERMS}), written(elements={NAME: TERMS.replace("[school]", "[school, parent]")}),
        f"elements.{NAME}",
    ),
    "a purpose of an element": (
        written(elements={NAME: TERMS}),
        written(elements={NAME: TERMS.replace("[instruction]", "[instruction, evaluation]")}), f"elements.{NAME}",
    ),
    "a purpose": (
        written({"purposes": "[instruction]"}, elements={NAME: TERMS}), written(elements={NAME: TERMS}),
        "purposes.evaluation",
    ),
    "storing": (
        written(elements={NAME: TERMS.replace("store: true, retain_days: 400", "store: false")}),
        written(elements={NAME: TERMS}), f"elements.{NAME}",
    ),
    "an educator's element": (
        written(educator_elements="[name]"), written(educator_elements="[name, email]"), "educator_elements.email",
    ),
    "any provider": (written(providers="{lti: {}}"), written(), "providers"),
    "a provider": (written(providers="{lti: {}}"), written(providers="{lti: {}, clever: {}}"), "providers.clever"),
    "the gradebook": (
        written(providers="{lti: {gradebook: false}}"), written(providers="{lti: {}}"), "providers.lti.gradebook",
    ),
    "a population": (
        written(providers="{lti: {population: {schools: [Hill]}}}"), written(providers="{lti: {}}"),
        "providers.lti.population",
    ),
    "a school": (
        written(providers="{lti: {population: {schools: [Hill]}}}"),
        written(providers="{lti: {population: {schools: [Hill, Dale]}}}"), "providers.lti.population",
    ),
    "a population that asks less": (
        written(providers="{lti: {population: {schools: [Hill], sections: [a]}}}"),
        written(providers="{lti: {population: {schools: [Hill]}}}"), "providers.lti.population",
    ),
    "a population beside the gradebook": (
        written(providers="{lti: {gradebook: false, population: {sections: [a]}}}"), written(providers="{lti: {}}"),
        "providers.lti.population",
    ),
    "a laxer limit": (
        written(limits="{disposition_days: {value: 30, clause: x}}"),
        written(limits="{disposition_days: {value: 60, clause: x}}"), "limits.disposition_days",
    ),
    "a limit that went away": (
        written(limits="{disposition_days: {value: 30, clause: x}}"), written(), "limits.disposition_days",
    ),
    "a law that went away": (written(statutes="[ferpa]"), written(), "limits.access_days"),
    "a host": (written(), written(subprocessors="[{name: A, hosts: [a.example]}]"), "subprocessors.a.example"),
    "a later end": (
        written({"valid": "{from: 2026-08-01, to: 2029-07-31}"}), written(), "valid.to",
    ),
    "an earlier beginning": (written({"valid": "{from: 2026-08-02, to: 2029-08-01}"}), written(), "valid.from"),
    "a report": (written(elements=USUAL), written(elements=USUAL, reports=f"[{REPORT % ('', 10)}]"), "reports.0"),
    "a dimension": (
        written(elements=USUAL, reports=f"[{REPORT % ('', 10)}]"),
        written(elements=USUAL, reports=f"[{REPORT % ('grade', 10)}]"), "reports.0",
    ),
    "a smaller cell": (
        written(elements=USUAL, reports=f"[{REPORT % ('grade', 10)}]"),
        written(elements=USUAL, reports=f"[{REPORT % ('grade', 5)}]"), "reports.0",
    ),
    "an evaluator": (
        written(), written(evaluators="[{name: R, purposes: [evaluation], min_k: 10, expires: 2027-06-30}]"),
        "evaluators.0",
    ),
    "a purpose of what is not stored": (
        written(elements={NAME: UNSTORED}),
        written(elements={NAME: UNSTORED.replace("[instruction]", "[instruction, evaluation]")}),
        f"elements.{NAME}.purposes",
    ),
    "somebody who sees data and names no host": (
        written(), written(subprocessors="[{name: A, hosts: []}]"), "subprocessors.0.name",
    ),
    "an offer": (written(), written(offer="{signed_at: 2026-08-01, clause: Exhibit E}"), "offer"),
}  # fmt: skip


@pytest.mark.parametrize("what", PAIRS)
def test_what_is_wider_is_named_and_the_way_back_is_narrower(what: str) -> None:
    narrow, wide, place = PAIRS[what]
    assert place in widened(parse(narrow), parse(wide))
    assert widened(parse(wide), parse(narrow)) == []


@pytest.mark.parametrize("what", PAIRS)
def test_a_contract_is_no_wider_than_itself(what: str) -> None:
    for text in PAIRS[what][:2]:
        assert widened(parse(text), parse(text)) == []


def test_what_is_called_other_is_what_was_specified() -> None:
    """Of two things neither is narrower."""
    drawings, photographs = (
        parse(written(elements={OTHER: TERMS.replace("}", f", specify: {what}}}")})) for what in ("Drawings", "Photos")
    )
    assert widened(drawings, photographs) == [f"elements.{OTHER}.specify"]
    assert widened(photographs, drawings) == [f"elements.{OTHER}.specify"]
    assert widened(drawings, drawings) == []


def test_to_name_a_provider_that_is_for_adults_alone_is_wider_where_none_was_named() -> None:
    """Saying nothing allows any other one."""
    silent, named = parse(written()), parse(written(providers="{lti: {}, facebook: {}}"))
    assert widened(silent, named, lambda name: name == "facebook") == ["providers.facebook"]
    assert widened(named, named, lambda name: name == "facebook") == []
