"""What a teacher sees of a name."""

from lti_server.roster.naming import display_name


def test_a_name_is_shown_as_the_source_gave_it() -> None:
    assert display_name({"name": "Amina Example"}, "pupil", 7) == "Amina Example"
    assert display_name({"given_name": "Amina", "family_name": "Example"}, "pupil", 7) == "Amina Example"


def test_a_name_that_the_contract_refused_becomes_a_number() -> None:
    assert display_name({}, "pupil", 7) == "Learner 7"
    assert display_name({}, "teacher", 1) == "Teacher 1"
