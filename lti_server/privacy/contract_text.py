"""A contract as the text of a file again: for terms that another district joins. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import yaml

from lti_server.privacy.model import Contract, ElementTerms, Limit
from lti_server.privacy.whom import Population, Whom


def written(contract: Contract) -> str:
    """A file that reads as this very contract."""
    return yaml.dump(_document(contract), Dumper=_WrittenOut, sort_keys=False, allow_unicode=True, width=120)


class _WrittenOut(yaml.SafeDumper):
    """Every value where it stands: a contract file takes no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def joined(terms: Contract, *, signed: date) -> Contract:
    """The terms for a district that takes up the offer: from its signature on, and to the day of the terms.

    Recipients of reports and evaluators are people of the district that made the terms: they do not go along. Nor does
    the offer: it is that district's provider who made it, once.
    """
    return replace(
        terms, signed_at=signed, valid_from=max(terms.valid_from, signed), reports=(), evaluators=(), offer=None
    )


def _document(contract: Contract) -> dict[str, Any]:
    document: dict[str, Any] = {
        "contract": 1,
        "family": contract.family.value,
        "signed_at": contract.signed_at,
        "valid": {"from": contract.valid_from, "to": contract.valid_to},
        "purposes": sorted(purpose.value for purpose in contract.purposes),
    }
    if contract.providers is not None:
        document["providers"] = {
            name: {"gradebook": terms.gradebook, "population": _whom(terms.population)}
            for name, terms in contract.providers.items()
        }
    document["elements"] = {name: _element(terms) for name, terms in contract.elements.items()}
    document["educator_elements"] = sorted(contract.educator_elements)
    document["limits"] = {name: _plain(limit) for name, limit in contract.limits.items()}
    for name in ("reports", "evaluators", "subprocessors"):
        document[name] = [_plain(one) for one in getattr(contract, name)]
    document["statutes"] = sorted(contract.statutes)
    if contract.offer is not None:
        document["offer"] = {"signed_at": contract.offer.signed_at, "clause": contract.offer.clause}
    return document


def _whom(whom: Whom) -> str | dict[str, list[str]]:
    return whom.plain() if isinstance(whom, Population) else whom.value


def _element(terms: ElementTerms) -> dict[str, Any]:
    said: dict[str, Any] = {"collect": terms.collect, "store": terms.store}
    if terms.retain_days is not None:
        said["retain_days"] = terms.retain_days
    said["sources"] = sorted(origin.value for origin in terms.origins)
    said["purposes"] = sorted(purpose.value for purpose in terms.purposes)
    if terms.specify:
        said["specify"] = terms.specify
    return said


def _plain(value: Any) -> Any:
    if isinstance(value, Limit):
        return {"value": value.value, "clause": value.clause}
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value
