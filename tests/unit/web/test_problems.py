"""One table from errors to statuses and documents."""

from __future__ import annotations

import pickle

import pytest

from lti_server import errors
from lti_server.errors import LtiServerError
from lti_server.web.problems import STATUS, problem, status_of


def _kinds(kind: type[LtiServerError]) -> list[type[LtiServerError]]:
    return [kind, *(inner for sub in kind.__subclasses__() for inner in _kinds(sub))]


def _one(kind: type[LtiServerError]) -> LtiServerError:
    if issubclass(kind, errors.LaunchRejected | errors.SignInRefused):
        return kind("a_reason", "What to do.")
    if issubclass(kind, errors.ConfigurationError):
        return kind(["What to do."])
    if issubclass(kind, errors.TooManyRequests):
        return kind("What to do.", retry_after_s=7)
    return kind("What to do.")


OURS = [kind for kind in _kinds(LtiServerError) if kind.__module__ == "lti_server.errors"]


@pytest.mark.parametrize("kind", OURS)
def test_each_error_has_a_status_a_document_and_a_way_between_processes(kind: type[LtiServerError]) -> None:
    error = _one(kind)
    assert 400 <= status_of(error) < 600
    document = problem(error, base_url="https://x.example", instance="id")
    assert document["type"] == f"https://x.example/problems/{kind.slug}"
    assert (document["title"], document["detail"], document["instance"]) == (kind.title, "What to do.", "urn:uuid:id")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.detail, again.public) == (kind, error.detail, error.public)


def test_slugs_name_one_family_each() -> None:
    assert len({kind.slug for kind in OURS}) == len(OURS)


def test_a_special_error_takes_the_status_of_its_own_line_and_not_of_its_family() -> None:
    assert status_of(errors.TooLarge("x")) == 413
    assert status_of(errors.ProviderLimitsUs("x")) == 503
    assert status_of(errors.ProviderRejectedUs("x")) == STATUS[errors.ProviderFailed]


def test_what_is_for_the_log_alone_is_not_in_the_document() -> None:
    assert "secret" not in str(problem(LtiServerError("x", internal="secret")))
