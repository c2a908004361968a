"""Where one contract allows more than another: what is narrower acts at once, what is wider needs a signature. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lti_server.privacy.compile import compile_policy
from lti_server.privacy.limits import KINDS, Kind
from lti_server.privacy.model import Contract, Limit, Origin, Purpose
from lti_server.privacy.whom import within


def widened(before: Contract, after: Contract) -> list[str]:
    """Every place where `after` allows what `before` does not, by its key in the file. Empty: `after` is no wider."""
    return sorted({*_time(before, after), *_elements(before, after), *_others(before, after), *_limits(before, after)})


def _time(before: Contract, after: Contract) -> Iterator[str]:
    if after.begins < before.begins:
        yield "valid.from"
    if after.valid_to > before.valid_to:
        yield "valid.to"


def _elements(before: Contract, after: Contract) -> Iterator[str]:
    was, now = compile_policy(before), compile_policy(after)
    for purpose in Purpose:
        for origin in Origin:
            more = now.kept.get((purpose, origin), frozenset()) - was.kept.get((purpose, origin), frozenset())
            yield from (f"elements.{name}" for name in more)
    for name, terms in after.elements.items():
        old = before.elements.get(name)
        if terms.collect and (old is None or not old.collect or not terms.origins <= old.origins):
            yield f"elements.{name}"
    for name, days in now.retain_days.items():
        if days > was.retain_days.get(name, 0):
            yield f"elements.{name}.retain_days"
    yield from (f"purposes.{purpose.value}" for purpose in after.purposes - before.purposes)
    yield from (f"educator_elements.{name}" for name in now.educator_elements - was.educator_elements)


def _others(before: Contract, after: Contract) -> Iterator[str]:
    yield from _providers(before, after)
    was, now = compile_policy(before), compile_policy(after)
    yield from (f"subprocessors.{host}" for host in now.subprocessor_hosts - was.subprocessor_hosts)
    for index, report in enumerate(after.reports):
        if not any(_report_within(report, one) for one in before.reports):
            yield f"reports.{index}"
    for index, evaluator in enumerate(after.evaluators):
        if evaluator not in before.evaluators:
            yield f"evaluators.{index}"
    if after.offer is not None and after.offer != before.offer:
        yield "offer"


def _providers(before: Contract, after: Contract) -> Iterator[str]:
    if after.providers is None:
        if before.providers is not None:
            yield "providers"
        return
    if before.providers is None:
        return  # any provider was allowed, with everything
    for name, terms in after.providers.items():
        old = before.providers.get(name)
        if old is None:
            yield f"providers.{name}"
            continue
        if terms.gradebook and not old.gradebook:
            yield f"providers.{name}.gradebook"
        if not within(terms.population, old.population):
            yield f"providers.{name}.population"


def _report_within(report: Mapping[str, object], old: Mapping[str, object]) -> bool:
    """Whether a report shows no more, and to nobody else, than an old one."""
    if (report.get("audience"), report.get("level")) != (old.get("audience"), old.get("level")):
        return False
    for name in ("dimensions", "recipients"):
        now, was = report.get(name), old.get(name)
        if not isinstance(now, list) or not isinstance(was, list) or any(one not in was for one in now):
            return False
    smallest, former = report.get("min_n"), old.get("min_n")
    return isinstance(smallest, Limit) and isinstance(former, Limit) and smallest.value >= former.value


def _limits(before: Contract, after: Contract) -> Iterator[str]:
    """A number that went away, or became laxer, under what the statutes of each say."""
    now = compile_policy(after).limits
    for name, old in compile_policy(before).limits.items():
        new = now.get(name)
        if new is None or (new.value > old.value if KINDS[name] is Kind.AT_MOST else new.value < old.value):
            yield f"limits.{name}"
