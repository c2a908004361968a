"""The form of a contract file (design 6.4): unknown keys, wrong types and missing numbers are refused, all at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validate, validates_schema

from lti_server.privacy.model import (
    ElementTerms,
    Family,
    Limit,
    Origin,
    ProviderTerms,
    Purpose,
)
from lti_server.privacy.schedule import EDUCATOR_ELEMENTS, ELEMENTS

KNOWN_LIMITS = frozenset({"breach_notice_hours", "disposition_days", "portion_days", "access_days", "backup_days"})
DIMENSIONS = ("school", "grade", "gender")
RECIPIENT_ROLES = ("data_steward", "district_admin", "school_admin")
MOST_DAYS = 36_500


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


def number(low: int, high: int, *, required: bool = True) -> WholeNumber:
    """A whole number of the contract."""
    return WholeNumber(
        strict=True,
        required=required,
        validate=validate.Range(low, high, error=f"must be a whole number from {low} to {high}."),
        error_messages={
            "required": "is missing; a number that a contract sets must be written down.",
            "invalid": "must be a whole number, without quotes.",
            "null": "must be a whole number; empty is not a number.",
        },
    )


def words(allowed: Iterable[str], *, required: bool = True) -> fields.List[str]:
    """A list of words of a closed set."""
    choice = fields.String(validate=validate.OneOf(sorted(allowed), error="is not one of: {choices}."))
    return fields.List(choice, required=required)


class LimitSchema(Strict):
    value = number(0, MOST_DAYS)
    clause = fields.String(required=True, validate=validate.Length(1, 200))

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> Limit:
        return Limit(**data)


class ProviderSchema(Strict):
    gradebook = Truth(load_default=True)
    population = fields.String(load_default="all", validate=validate.Equal("all", error="may be: all."))

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> ProviderTerms:
        return ProviderTerms(**data)


class ElementSchema(Strict):
    collect = Truth(required=True)
    store = Truth(required=True)
    retain_days = number(1, MOST_DAYS, required=False)
    sources = words([origin.value for origin in Origin])
    purposes = words([purpose.value for purpose in Purpose])
    specify = fields.String(validate=validate.Length(1, 500))

    @validates_schema(skip_on_field_errors=False)
    def agree(self, data: dict[str, Any], **_: Any) -> None:
        if data.get("store") and not data.get("collect"):
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
    name = fields.String(required=True, validate=validate.Length(1, 200))
    email = fields.Email(required=True)
    role = fields.String(required=True, validate=validate.OneOf(RECIPIENT_ROLES, error="is not one of: {choices}."))


class ReportSchema(Strict):
    audience = fields.String(required=True, validate=validate.OneOf(("district", "school")))
    level = fields.String(required=True, validate=validate.OneOf(("aggregate", "student")))
    dimensions = words(DIMENSIONS)
    min_n = fields.Nested(LimitSchema, required=True)
    recipients = fields.List(fields.Nested(RecipientSchema), required=True)


class EvaluatorSchema(Strict):
    name = fields.String(required=True, validate=validate.Length(1, 200))
    purposes = words([purpose.value for purpose in Purpose])
    min_k = number(2, 1_000)
    expires = fields.Date(required=True)


class SubprocessorSchema(Strict):
    name = fields.String(required=True, validate=validate.Length(1, 200))
    hosts = fields.List(fields.String(validate=validate.Regexp(r"^[A-Za-z0-9.-]+(:[0-9]+)?$")), required=True)


class ValidSchema(Strict):
    since = fields.Date(required=True, data_key="from")
    to = fields.Date(required=True)

    @validates_schema(skip_on_field_errors=False)
    def ordered(self, data: dict[str, Any], **_: Any) -> None:
        if "since" in data and "to" in data and data["since"] > data["to"]:
            raise ValidationError("must not lie before `from`.", "to")


class ContractSchema(Strict):
    """The whole file."""

    contract = WholeNumber(
        strict=True, required=True, validate=validate.Equal(1, error="must be 1, the form's number.")
    )
    family = fields.Enum(Family, by_value=True, required=True, error_messages={"unknown": "is not one of: {choices}."})
    signed_at = fields.Date(required=True)
    valid = fields.Nested(ValidSchema, required=True)
    purposes = words([purpose.value for purpose in Purpose])
    providers = fields.Dict(keys=fields.String(validate=validate.Length(1, 64)), values=fields.Nested(ProviderSchema))
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
