"""Where one contract allows more than another: what is narrower acts at once, what is wider needs a signature. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from lti_server.privacy.compile import compile_policy
from lti_server.privacy.limits import KINDS, Kind
from lti_server.privacy.model import Contract, Limit, Origin, Purpose
from lti_server.privacy.whom import within

ForAdults = Callable[[str], bool]
"""Whether a provider is for adults alone, so that a contract which names none does not allow it."""


def nobody(_provider: str) -> bool:
    """No provider is for adults alone."""
    return False


def widened(before: Contract, after: Contract, for_adults: ForAdults = nobody) -> list[str]:
    """Every place where `after` allows what `before` does not, by its key in the file. Empty: `after` is no wider."""
    others = _others(before, after, for_adults)
    return sorted({*_time(before, after), *_elements(before, after), *others, *_limits(before, after)})


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
        if terms.collect and old is not None and not terms.purposes <= old.purposes:
            yield f"elements.{name}.purposes"
        if terms.collect and old is not None and terms.specify != old.specify:  # it is what was specified
            yield f"elements.{name}.specify"
    for name, days in now.retain_days.items():
        if days > was.retain_days.get(name, 0):
            yield f"elements.{name}.retain_days"
    yield from (f"purposes.{purpose.value}" for purpose in after.purposes - before.purposes)
    yield from (f"educator_elements.{name}" for name in now.educator_elements - was.educator_elements)


def _others(before: Contract, after: Contract, for_adults: ForAdults) -> Iterator[str]:
    yield from _providers(before, after, for_adults)
    was, now = compile_policy(before), compile_policy(after)
    yield from (f"subprocessors.{host}" for host in now.subprocessor_hosts - was.subprocessor_hosts)
    known = {entry.get("name") for entry in before.subprocessors}
    for index, entry in enumerate(after.subprocessors):
        if entry.get("name") not in known:
            yield f"subprocessors.{index}.name"
    for index, report in enumerate(after.reports):
        if not any(_report_within(report, one) for one in before.reports):
            yield f"reports.{index}"
    for index, evaluator in enumerate(after.evaluators):
        if evaluator not in before.evaluators:
            yield f"evaluators.{index}"
    if after.offer is not None and after.offer != before.offer:
        yield "offer"


def _providers(before: Contract, after: Contract, for_adults: ForAdults) -> Iterator[str]:
    if after.providers is None:
        if before.providers is not None:
            yield "providers"
        return
    if before.providers is None:  # any other provider was allowed, with everything
        yield from (f"providers.{name}" for name in after.providers if for_adults(name))
        return
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
