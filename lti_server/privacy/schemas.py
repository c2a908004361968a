"""The form of a contract file (design 6.4): unknown keys, wrong types and missing numbers are refused, all at once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from typing import Any, cast

from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validate, validates_schema

from lti_server.privacy.limits import IN_FILE as KNOWN_LIMITS
from lti_server.privacy.limits import LAWS
from lti_server.privacy.model import (
    ElementTerms,
    Family,
    Limit,
    Offer,
    Origin,
    ProviderTerms,
    Purpose,
)
from lti_server.privacy.schedule import EDUCATOR_ELEMENTS, ELEMENTS
from lti_server.privacy.whom import NO_GRADES, Everybody, Population, Whom, read
from lti_server.providers.manifest import NAME

DIMENSIONS = ("school", "grade", "gender")
RECIPIENT_ROLES = ("data_steward", "district_admin", "school_admin")
MOST_DAYS = 36_500
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2199, 12, 31)
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?\Z")
PROVIDER = re.compile(NAME.pattern + r"\Z")


class Strict(Schema):
    """A mapping that takes its own keys alone."""

    class Meta:
        unknown = RAISE


class WholeNumber(fields.Integer):
    """A number that is written as a number: neither text nor a truth value."""

    def _validated(self, value: Any) -> Any:
        if isinstance(value, (bool, str)):
            raise self.make_error("invalid", input=value)
        return super()._validated(value)


class Truth(fields.Boolean):
    """true or false, and nothing that merely looks like it."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class Day(fields.Date):
    """A day as a contract writes it, near enough that days can be counted from it."""

    def __init__(self, *, data_key: str | None = None) -> None:
        between = validate.Range(FIRST_DAY, LAST_DAY, error="must be a day from {min} to {max}.")
        super().__init__(required=True, validate=between, data_key=data_key)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, str) or not DAY.fullmatch(value):
            raise self.make_error("invalid", input=value, obj_type=self.OBJ_TYPE)
        return super()._deserialize(value, attr, data, **kwargs)


def _span(low: int, high: int) -> str:
    return str(low) if low == high else f"a whole number from {low} to {high}"


def number(low: int, high: int, *, required: bool = True) -> WholeNumber:
    """A whole number of the contract."""
    return WholeNumber(
        strict=True,
        required=required,
        validate=validate.Range(low, high, error=f"must be {_span(low, high)}."),
        error_messages={
            "required": "is missing; a number that a contract sets must be written down.",
            "invalid": "must be a whole number in plain digits, without quotes.",
            "null": "must be a whole number; empty is not a number.",
        },
    )


def word(allowed: Iterable[str]) -> fields.String:
    """One word of a closed set."""
    return fields.String(required=True, validate=validate.OneOf(sorted(allowed), error="is not one of: {choices}."))


def words(allowed: Iterable[str], *, required: bool = True, least: int = 0) -> fields.List[str]:
    """A list of words of a closed set."""
    enough = validate.Length(min=least, error="is empty; name at least one, or take the whole entry away.")
    return fields.List(word(allowed), required=required, validate=enough)


def text(longest: int, *, required: bool = True) -> fields.String:
    """Text that says something."""
    size = validate.Length(1, longest, error="must be a text of {min} to {max} characters.")
    return fields.String(required=required, validate=size)


class LimitSchema(Strict):
    value = number(0, MOST_DAYS)
    clause = text(200)

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> Limit:
        return Limit(**data)


def names() -> fields.List[str]:
    """A list of names that are not closed words; at least one."""
    return fields.List(text(200), validate=validate.Length(min=1, error="is empty; name one, or take it away."))


class PopulationSchema(Strict):
    schools = names()
    sections = names()
    grades = fields.Raw(validate=validate.OneOf((), error=NO_GRADES))

    @validates_schema(skip_on_field_errors=False)
    def says_something(self, data: dict[str, Any], **_: Any) -> None:
        if not data:
            raise ValidationError("is empty; say `all`, or name schools or sections.")

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> Population:
        return read(data)


class PopulationField(fields.Field[Whom]):
    """`all`, or a mapping that says whose classes."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Whom:
        if value == Everybody.ALL.value:
            return Everybody.ALL
        if not isinstance(value, dict):
            raise ValidationError("must be `all`, or a mapping of schools or sections.")
        return cast(Whom, PopulationSchema().load(value))


class ProviderSchema(Strict):
    gradebook = Truth(load_default=True)
    population = PopulationField(load_default=Everybody.ALL)

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> ProviderTerms:
        return ProviderTerms(**data)


class ElementSchema(Strict):
    collect = Truth(required=True)
    store = Truth(required=True)
    retain_days = number(1, MOST_DAYS, required=False)
    sources = words(Origin, least=1)
    purposes = words(Purpose, least=1)
    specify = text(500, required=False)

    @validates_schema(skip_on_field_errors=False)
    def agree(self, data: dict[str, Any], **_: Any) -> None:
        if data.get("store") and data.get("collect") is False:
            raise ValidationError("cannot be true where collect is false.", "store")
        if data.get("store") and "retain_days" not in data:
            raise ValidationError("is missing; what is stored must say for how many days.", "retain_days")

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> ElementTerms:
        return ElementTerms(
            collect=data["collect"],
            store=data["store"],
            retain_days=data.get("retain_days"),
            origins=frozenset(Origin(word) for word in data["sources"]),
            purposes=frozenset(Purpose(word) for word in data["purposes"]),
            specify=data.get("specify", ""),
        )


class RecipientSchema(Strict):
    name = text(200)
    email = fields.Email(required=True)
    role = word(RECIPIENT_ROLES)


class ReportSchema(Strict):
    audience = word(("district", "school"))
    level = word(("aggregate", "student"))
    dimensions = words(DIMENSIONS)
    min_n = fields.Nested(LimitSchema, required=True)
    recipients = fields.List(fields.Nested(RecipientSchema), required=True)


class EvaluatorSchema(Strict):
    name = text(200)
    purposes = words(Purpose, least=1)
    min_k = number(2, 1_000)
    expires = Day()


class SubprocessorSchema(Strict):
    name = text(200)
    hosts = fields.List(
        fields.String(
            validate=validate.Regexp(HOST, error="must be a host, or a host and a port: db.example.net:5432.")
        ),
        required=True,
    )


class ValidSchema(Strict):
    since = Day(data_key="from")
    to = Day()

    @validates_schema(skip_on_field_errors=False)
    def ordered(self, data: dict[str, Any], **_: Any) -> None:
        if "since" in data and "to" in data and data["since"] > data["to"]:
            raise ValidationError("must not lie before `from`.", "to")


class OfferSchema(Strict):
    signed_at = Day()
    clause = text(200)

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> Offer:
        return Offer(**data)


class ContractSchema(Strict):
    """The whole file."""

    contract = number(1, 1)
    family = fields.Enum(Family, by_value=True, required=True, error_messages={"unknown": "is not one of: {choices}."})
    signed_at = Day()
    valid = fields.Nested(ValidSchema, required=True)
    purposes = words(Purpose, least=1)
    providers = fields.Dict(
        keys=fields.String(validate=validate.Regexp(PROVIDER, error="is not the name of a provider.")),
        values=fields.Nested(ProviderSchema),
    )
    elements = fields.Dict(
        keys=fields.String(validate=validate.OneOf(sorted(ELEMENTS), error="is not an element of the schedule.")),
        values=fields.Nested(ElementSchema),
        required=True,
    )
    educator_elements = words(EDUCATOR_ELEMENTS, required=False)
    limits = fields.Dict(
        keys=fields.String(validate=validate.OneOf(sorted(KNOWN_LIMITS), error="is not a limit: {choices}.")),
        values=fields.Nested(LimitSchema),
    )
    reports = fields.List(fields.Nested(ReportSchema))
    evaluators = fields.List(fields.Nested(EvaluatorSchema))
    subprocessors = fields.List(fields.Nested(SubprocessorSchema))
    statutes = words(LAWS, required=False)
    offer = fields.Nested(OfferSchema)

    @validates_schema(skip_on_field_errors=False)
    def signed_in_time(self, data: dict[str, Any], **_: Any) -> None:
        signed, ends = data.get("signed_at"), data.get("valid", {}).get("to")
        if signed is not None and ends is not None and signed > ends:
            raise ValidationError(
                "must not lie after `valid.to`: it would have ended before it was signed.", "signed_at"
            )
