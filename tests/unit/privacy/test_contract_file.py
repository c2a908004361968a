"""A contract file is read whole or refused whole, with every fault named by line and place."""

from __future__ import annotations

import re
from datetime import date

import pytest

from lti_server.errors import InvalidInput
from lti_server.privacy.contract_file import check, new, parse
from lti_server.privacy.model import ElementTerms, Family, Limit, Origin, ProviderTerms, Purpose
from tests.unit.privacy.contract_text import TERMS, added, written

WHOLE = """\
contract: 1
family: ndpa1
signed_at: 2026-08-01
valid: {from: "2026-08-01", to: 2029-08-01}
purposes: [instruction, progress_reporting, evaluation]
providers: {lti: {gradebook: false}, oneroster: {population: all}}
elements:
  enrollment.grade_level:
    {collect: true, store: true, retain_days: 30, sources: [school], purposes: [progress_reporting]}
  demographics.date_of_birth: {collect: true, store: false, sources: [school, student], purposes: [instruction]}
  student_work.other:
    {collect: true, store: true, retain_days: 7, sources: [student], purposes: [instruction], specify: Drawings}
educator_elements: [name, email]
limits: {disposition_days: {value: 60, clause: "Art. IV 6"}}
reports:
  - audience: school
    level: aggregate
    dimensions: [grade]
    min_n: {value: 10, clause: "Exhibit H 2"}
    recipients: [{name: Data office, email: data@district.example, role: data_steward}]
evaluators: [{name: Research, purposes: [evaluation], min_k: 10, expires: 2027-06-30}]
subprocessors: [{name: Host, hosts: [db.example.net, "cache.example.net:6379"]}]
"""


def test_every_key_of_a_contract_is_read() -> None:
    found = parse(WHOLE)
    assert (found.family, found.signed_at) == (Family.NDPA1, date(2026, 8, 1))
    assert (found.valid_from, found.valid_to) == (date(2026, 8, 1), date(2029, 8, 1))
    assert found.purposes == set(Purpose)
    assert found.providers == {"lti": ProviderTerms(gradebook=False), "oneroster": ProviderTerms()}
    assert found.elements["student_work.other"] == ElementTerms(
        collect=True, store=True, retain_days=7, origins=frozenset({Origin.STUDENT}),
        purposes=frozenset({Purpose.INSTRUCTION}), specify="Drawings",
    )  # fmt: skip
    assert found.elements["demographics.date_of_birth"].retain_days is None
    assert found.educator_elements == {"name", "email"}
    assert found.limits == {"disposition_days": Limit(value=60, clause="Art. IV 6")}
    assert found.reports[0]["min_n"] == Limit(value=10, clause="Exhibit H 2")
    assert found.evaluators[0]["expires"] == date(2027, 6, 30)
    assert found.subprocessors[0]["hosts"] == ["db.example.net", "cache.example.net:6379"]


def test_what_a_contract_leaves_out_is_none_but_the_educators_name_and_identifier() -> None:
    found = parse(written())
    assert found.educator_elements == {"name", "identifier"}
    assert found.providers is None
    assert (found.limits, found.reports, found.evaluators, found.subprocessors) == ({}, (), (), ())


# Each: a file, then what must be said of it: (line, place, words of the message).
MALFORMED = {
    "empty": ("", 1, "the file", "is empty"),
    "words alone": ("nothing but words", 1, "the file", "a mapping of keys"),
    "not yaml": ("contract: [1\nfamily: local", 2, "the file", "not YAML"),
    "a control character": ("contract: \x07", 1, "the file", "not YAML"),
    "two documents": (written() + "---\ncontract: 1\n", 9, "the file", "not YAML"),
    "too deep": ("[" * 5_000, 1, "the file", "too deep"),
    "too large": ("# " + "x" * 262_144, 1, "the file", "larger than 256 kB"),
    "the same key twice": (written(educator_elements="[]") + "contract: 1\n", 10, "contract", "stands twice"),
    "the same element twice": (
        written().replace("\n  enrollment", f"\n  student_name.first_and_or_last: {TERMS}\n  enrollment"),
        8, "elements.student_name.first_and_or_last", "stands twice",
    ),
    "an alias": (written(limits="&a {}", reports="*a"), 10, "reports", "aliases"),
    "a tag": (written({"family": "!!python/name:os.system x"}), 2, "family", "tag"),
    "a list for a key": (written() + "? [a, b]\n: 1\n", 9, "the file", "a key must be a word"),
    "an unknown key": (written(advertising="true"), 9, "advertising", "not a key"),
    "a form of another number": (written({"contract": "2"}), 1, "contract", "must be 1"),
    "no form": (written({"contract": None}), 1, "contract", "missing"),
    "an unknown family": (written({"family": "ndpa9"}), 2, "family", "ndpa1, ndpa2, local"),
    "no date": (written({"signed_at": "soon"}), 3, "signed_at", "2026-08-01"),
    "a moment for a date": (written({"signed_at": "2026-08-01T10:00:00Z"}), 3, "signed_at", "2026-08-01"),
    "an end before the beginning": (
        written({"valid": "{from: 2029-08-01, to: 2026-08-01}"}), 4, "valid.to", "before `from`",
    ),
    "no end": (written({"valid": "{from: 2029-08-01}"}), 4, "valid.to", "missing"),
    "an unknown purpose": (written({"purposes": "[instruction, ads]"}), 5, "purposes.1", "is not one of"),
    "no purpose": (written({"purposes": "[]"}), 5, "purposes", "at least one"),
    "a word for a list": (written({"purposes": "instruction"}), 5, "purposes", "list"),
    "null": (written({"purposes": "null"}), 5, "purposes", "is empty"),
    "no elements": (written(elements={}), 6, "elements", "is empty"),
    "an unknown element": (
        written(elements={"student_name.nick": TERMS}), 7, "elements.student_name.nick", "schedule",
    ),
    "an element without terms": (
        written(elements={"student_name.first_and_or_last": "true"}),
        7, "elements.student_name.first_and_or_last", "mapping",
    ),
    "an unknown provider name": (written(providers="{'Clever!': {}}"), 9, "providers.Clever!", "provider"),
    "an unknown population": (
        written(providers="{lti: {population: some}}"), 9, "providers.lti.population", "`all`, or a mapping",
    ),
    "an empty population": (
        written(providers="{lti: {population: {}}}"), 9, "providers.lti.population", "is empty",
    ),
    "a population that is a list": (
        written(providers="{lti: {population: [Hill]}}"), 9, "providers.lti.population", "`all`, or a mapping",
    ),
    "a population of no schools": (
        written(providers="{lti: {population: {schools: []}}}"), 9, "providers.lti.population.schools", "is empty",
    ),
    "a population that is null": (
        written(providers="{lti: {population: null}}"), 9, "providers.lti.population", "is empty",
    ),
    "a population by something unknown": (
        written(providers="{lti: {population: {towns: [Hill]}}}"), 9, "providers.lti.population.towns", "not a key",
    ),
    "a section as a number": (
        written(providers="{lti: {population: {sections: [a, 7]}}}"), 9, "providers.lti.population.sections.1", "text",
    ),
    "a population by grade": (
        written(providers="{lti: {population: {grades: ['05']}}}"), 9, "providers.lti.population.grades",
        "no source tells the grade",
    ),
    "an unknown educator element": (written(educator_elements="[salary]"), 9, "educator_elements.0", "is not one of"),
    "an unknown limit": (written(limits="{tea_time: {value: 1, clause: x}}"), 9, "limits.tea_time", "not a limit"),
    "a limit without clause": (
        written(limits="{access_days: {value: 45}}"), 9, "limits.access_days.clause", "missing",
    ),
    "a limit without value": (
        written(limits="{access_days: {clause: x}}"), 9, "limits.access_days.value", "missing",
    ),
    "a clause that says nothing": (
        written(limits="{access_days: {value: 45, clause: ''}}"), 9, "limits.access_days.clause", "text of 1",
    ),
    "a bare number for a limit": (written(limits="{access_days: 45}"), 9, "limits.access_days", "mapping"),
    "evaluators for another purpose": (
        written({"purposes": "[instruction, progress_reporting]"},
                evaluators="[{name: R, purposes: [evaluation], min_k: 10, expires: 2027-01-01}]"),
        9, "evaluators.0.purposes", "not among the contract's purposes",
    ),
    "an evaluator of one": (
        written(evaluators="[{name: R, purposes: [evaluation], min_k: 1, expires: 2027-01-01}]"),
        9, "evaluators.0.min_k", "from 2",
    ),
    "an address for a host": (
        written(subprocessors="[{name: H, hosts: ['https://x.example/']}]"), 9, "subprocessors.0.hosts.0", "host",
    ),
    "no pupil data beside pupil data": (
        written(elements={"student_name.first_and_or_last": TERMS, "none.no_student_data_collected": TERMS}),
        8, "elements.none.no_student_data_collected", "no data of pupils",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "line", "place", "words"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_contract_is_refused_by_line_and_place(text: str, line: int, place: str, words: str) -> None:
    contract, faults = check(text)
    assert contract is None
    assert any(
        fault.line == line and (".".join(fault.place) or "the file") == place and words in fault.message
        for fault in faults
    ), [str(fault) for fault in faults]


TERM_FAULTS = {
    "{store: true, retain_days: 1, sources: [school], purposes: [instruction]}": ("collect", "missing"),
    "{collect: true, sources: [school], purposes: [instruction]}": ("store", "missing"),
    "{collect: false, store: true, retain_days: 1, sources: [school], purposes: [instruction]}": (
        "store", "collect is false",
    ),
    "{collect: true, store: true, sources: [school], purposes: [instruction]}": ("retain_days", "how many days"),
    "{collect: yes, store: true, retain_days: 1, sources: [school], purposes: [instruction]}": ("collect", "true or"),
    "{collect: 1, store: true, retain_days: 1, sources: [school], purposes: [instruction]}": ("collect", "true or"),
    "{collect: 'true', store: true, retain_days: 1, sources: [school], purposes: [instruction]}": ("collect", "quotes"),
    "{collect: ~, store: true, retain_days: 1, sources: [school], purposes: [instruction]}": ("collect", "is empty"),
    "{collect: true, store: false, sources: [], purposes: [instruction]}": ("sources", "at least one"),
    "{collect: true, store: false, sources: [school], purposes: []}": ("purposes", "at least one"),
    "{collect: true, store: false, purposes: [instruction]}": ("sources", "missing"),
    "{collect: true, store: false, sources: [school]}": ("purposes", "missing"),
    "{collect: true, store: false, sources: [vendor], purposes: [instruction]}": ("sources.0", "is not one of"),
    "{collect: true, store: false, sources: [school], purposes: [instruction], sell: true}": ("sell", "not a key"),
}  # fmt: skip


@pytest.mark.parametrize("terms", TERM_FAULTS)
def test_terms_of_an_element_that_are_wrong_are_refused_by_name(terms: str) -> None:
    key, words = TERM_FAULTS[terms]
    _, faults = check(written(elements={"student_name.first_and_or_last": terms}))
    place = "elements.student_name.first_and_or_last." + key
    assert [(fault.line, ".".join(fault.place)) for fault in faults] == [(7, place)]
    assert words in faults[0].message


NO_NUMBERS = ("'10'", "true", "null", "~", "", "10.0", "1e1", ".inf", "010", "0x0A", "1_0", "1:30", "-1", "9" * 5_000)


@pytest.mark.parametrize("number", NO_NUMBERS, ids=lambda number: number[:8] or "nothing")
def test_only_a_plain_whole_number_is_a_number(number: str) -> None:
    limits = f"{{access_days: {{value: {number}, clause: 'Art. IV'}}}}"
    contract, faults = check(written(limits=limits))
    assert contract is None
    assert [(fault.line, ".".join(fault.place)) for fault in faults] == [(9, "limits.access_days.value")]


def test_an_element_called_other_must_say_what_it_is() -> None:
    _, faults = check(written(elements={"assessment.other": TERMS}))
    assert [fault.pointer for fault in faults] == ["/elements/assessment.other/specify"]


def test_a_birth_date_may_be_collected_and_never_stored() -> None:
    _, faults = check(written(elements={"demographics.date_of_birth": TERMS}))
    assert [".".join(fault.place) for fault in faults] == ["elements.demographics.date_of_birth.store"]


def test_an_element_may_not_be_used_for_what_the_contract_is_not_for() -> None:
    _, faults = check(written({"purposes": "[progress_reporting]"}))
    assert [str(fault) for fault in faults] == [
        "line 7: elements.student_name.first_and_or_last.purposes: instruction is not among the contract's purposes."
        " (NDPA Exhibit B)"
    ]


def test_a_contract_without_purposes_is_one_fault_and_not_one_for_each_element() -> None:
    _, faults = check(written({"purposes": None}))
    assert [fault.pointer for fault in faults] == ["/purposes"]


@pytest.mark.parametrize(
    ("dimension", "element"),
    [
        ("grade", "enrollment.grade_level"),
        ("gender", "demographics.gender"),
        ("school", "enrollment.school_enrollment"),
    ],
)
def test_a_dimension_of_a_report_wants_its_element_stored_for_reports(dimension: str, element: str) -> None:
    report = (
        "[{audience: district, level: aggregate, dimensions: [" + dimension + "], min_n: {value: 10, clause: H}, "
        "recipients: [{name: Office, email: data@d.example, role: data_steward}]}]"
    )
    reported = TERMS.replace("instruction", "progress_reporting")
    for terms, allowed in {
        reported: True,
        TERMS: False,
        reported.replace("store: true, retain_days: 400", "store: false"): False,
    }.items():
        contract, faults = check(written(elements={element: terms}, reports=report))
        assert (contract is not None) is allowed
        assert allowed or [str(fault) for fault in faults] == [
            f"line 8: reports.0.dimensions.0: {dimension} needs the element {element}, stored, for progress_reporting."
            " (NDPA Art. IV 4)"
        ]
    _, faults = check(written(elements={"student_name.first_and_or_last": TERMS}, reports=report))
    assert [fault.pointer for fault in faults] == ["/reports/0/dimensions/0"]


def test_all_faults_are_told_at_once_in_the_order_of_the_lines() -> None:
    text = written(
        {"family": "ndpa9", "signed_at": "soon"},
        {"assessment.other": TERMS, "student_name.nick": TERMS},
        limits="{access_days: {value: '1'}}",
        educator_elements="&name [salary]",
        reports="*name",
    )
    with pytest.raises(InvalidInput) as refused:
        parse(text)
    told = refused.value.public["problems"]
    assert isinstance(told, list)
    assert [re.sub(r": .*", "", line) for line in told] == [f"line {line}" for line in (2, 3, 7, 8, 9, 9, 10, 11)]
    errors = refused.value.public["errors"]
    assert isinstance(errors, list)
    assert [error["message"] for error in errors] == told


def test_a_fault_never_repeats_what_the_file_says() -> None:
    secret = "Amina-was-here"
    text = written(
        {"family": secret, "signed_at": secret, "purposes": f"[{secret}]"},
        {"student_name.first_and_or_last": f"{{collect: {secret}, store: {secret}, sources: [{secret}]}}"},
        reports=f"[{{audience: {secret}, recipients: [{{name: x, email: {secret}, role: {secret}}}]}}]",
        subprocessors=f"[{{name: x, hosts: ['{secret} {secret}']}}]",
    )
    _, faults = check(text)
    assert len(faults) > 8
    assert not [fault for fault in faults if secret in str(fault)]


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("today", [date(2026, 8, 1), date(2028, 2, 29), date(2026, 12, 31)])
def test_a_new_contract_passes_the_check_as_it_is(family: Family, today: date) -> None:
    found = parse(new(family, today))
    assert (found.family, found.valid_from) == (family, today)
    assert 360 <= (found.valid_to - today).days <= 366


def test_a_new_contract_passes_the_check_with_everything_that_it_offers_taken_in() -> None:
    offered = re.sub(r"^( *)# ", r"\1", new(Family.LOCAL, date(2026, 8, 1)), flags=re.MULTILINE)
    text = offered.replace("purposes: [instruction]  ", "purposes: [instruction, progress_reporting, evaluation]  ")
    found = parse(text)
    assert found.reports
    assert found.evaluators
    assert found.subprocessors
    assert "student_identifiers.local_district_id" in found.elements


@pytest.mark.parametrize(
    ("text", "clause"),
    [
        (written({"purposes": "[instruction, progress_reporting, ads]"}), "NDPA Exhibit A"),
        (written(elements={"student_name.nick": TERMS}), "NDPA Exhibit B"),
        (written(limits="{disposition_days: {value: x, clause: Art. IV 6 as amended}}"), "Art. IV 6 as amended"),
        (written(limits="{disposition_days: {value: 60}}"), "NDPA Art. IV 6"),
        (written(limits="{breach_notice_hours: {value: 72}}"), "NDPA Art. V 4"),
        (written(reports="[{audience: district}]"), "NDPA Art. IV 4"),
        (written(subprocessors="[{name: A}]"), "NDPA Art. II 5"),
        (written(statutes="[roman_law]"), "NDPA Exhibit G"),
        (written(offer="{signed_at: 2026-08-01}"), "NDPA Exhibit E"),
        ("", "NDPA"),
    ],
)
def test_every_fault_names_its_line_and_its_clause(text: str, clause: str) -> None:
    _, faults = check(text)
    assert faults
    for fault in faults:
        assert re.fullmatch(r"line \d+: .*", str(fault))
        assert str(fault).endswith(f"({clause})")


def test_a_contract_that_ended_before_it_was_signed_is_refused() -> None:
    _, (fault,) = check(written({"signed_at": "2029-08-02"}))
    assert (fault.line, fault.pointer) == (3, "/signed_at")


UNSEEN = {
    "NUL": r"a\0b", "a bell": r"a\ab", "an escape": r"a\eb", "a carriage return": r"a\rb", "a next line": r"a\Nb",
    "half a pair": r"a\ud800b", "a line separator": r"a\Lb", "an override": r"a\u202eb", "an isolate": "a\u2067b",
}  # fmt: skip


@pytest.mark.parametrize("what", UNSEEN)
@pytest.mark.parametrize("place", ["schools", "a key", "specify"])
def test_what_is_not_seen_and_changes_what_is_read_is_refused(what: str, place: str) -> None:
    said = f'"{UNSEEN[what]}"'
    text = {
        "schools": written(providers=f"{{lti: {{population: {{schools: [{said}]}}}}}}"),
        "a key": written(providers=f"{{{said}: {{}}}}"),
        "specify": written(elements={"student_work.other": TERMS.replace("}", f", specify: {said}}}")}),
    }[place]
    contract, faults = check(text)
    assert contract is None
    assert faults[0].line == (7 if place == "specify" else 9)
    assert not any(mark in str(fault) for fault in faults for mark in "\0\a\x1b\r\x85\ud800\u2028\u202e\u2067")


def test_a_comment_turns_nothing_around_either() -> None:
    _contract, faults = check(written() + "# \u202eeurt :erots\n")
    assert [fault.line for fault in faults] == [9]


def test_text_in_any_script_is_taken() -> None:
    said = "\u0645\u062f\u0631\u0633\u0629 \U0001f3eb Zo\u00eb e\u0301"
    text = written(providers=f'{{lti: {{population: {{schools: ["{said}"]}}}}}}')
    providers = parse(text).providers
    assert providers is not None
    assert said in str(providers["lti"].population)


@pytest.mark.parametrize("day", ["0001-01-01", "1999-12-31", "2200-01-01", "9999-12-31", '"2026-W31-6"', "20260801"])
@pytest.mark.parametrize("place", ["signed_at", "valid.from", "valid.to", "offer.signed_at", "evaluators.0.expires"])
def test_a_day_from_which_nobody_can_count_is_refused(day: str, place: str) -> None:
    valid = {"valid.from": f"{{from: {day}, to: 2029-08-01}}", "valid.to": f"{{from: 2026-08-01, to: {day}}}"}
    head: dict[str, str | None] = (
        {"signed_at": day} if place == "signed_at" else {"valid": valid[place]} if place in valid else {}
    )
    more = {
        "offer.signed_at": {"offer": f"{{signed_at: {day}, clause: Exhibit E}}"},
        "evaluators.0.expires": {
            "evaluators": f"[{{name: R, purposes: [evaluation], min_k: 10, expires: {day}}}]"
        },
    }.get(place, {})  # fmt: skip
    contract, faults = check(written(head) + added(more))
    assert contract is None
    assert place in {".".join(fault.place) for fault in faults}
