"""The bodies of the progress API: unknown members and impossible values are refused, all at once."""

from __future__ import annotations

import json
import math
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validate

from lti_server.progress.model import Attempt

LARGEST_WORK = 64 * 1024
LARGEST_ANSWERS = 32 * 1024
LONGEST_DURATION_S = 7 * 86_400


class Strict(Schema):
    """A body that takes its own members alone."""

    class Meta:
        unknown = RAISE


class Number(fields.Float):
    """A JSON number: no text, no truth value, nothing infinite."""

    def _validated(self, value: Any) -> Any:
        if isinstance(value, (bool, str)) or (isinstance(value, float) and not math.isfinite(value)):
            raise self.make_error("invalid", input=value)
        return super()._validated(value)


class Truth(fields.Boolean):
    """true or false."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class FreeText(fields.Raw):
    """Text or any JSON value, kept as text; `largest` bytes."""

    def __init__(self, *, largest: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._largest = largest

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = json.dumps(value, ensure_ascii=False)
        if len(text.encode("utf-8", "surrogatepass")) > self._largest:
            raise ValidationError(f"Is larger than {self._largest // 1024} kB.")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValidationError("Is not text that can be kept.") from error
        return text


class AttemptSchema(Strict):
    """`POST /api/v1/progress`."""

    attempt_id = fields.UUID(
        required=True, metadata={"description": "Idempotency key: the same one again changes nothing."}
    )
    activity_id = fields.String(required=True, validate=validate.Length(1, 100))
    score = Number(required=True, validate=validate.Range(0, 1))
    completed = Truth(required=True)
    optimal = Truth(load_default=False)
    duration_s = Number(load_default=None, allow_none=True, validate=validate.Range(0, LONGEST_DURATION_S))
    work = FreeText(largest=LARGEST_WORK, load_default=None, allow_none=True)
    answers = FreeText(largest=LARGEST_ANSWERS, load_default=None, allow_none=True)
    occurred_at = fields.AwareDateTime(required=True, format="iso")

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> Attempt:
        return Attempt(**data)


class SummarySchema(Strict):
    """What the attempts at an activity add up to."""

    attempts = fields.Integer(required=True)
    best_score = fields.Float(required=True)
    completed = fields.Boolean(required=True)


class SavedSchema(Strict):
    """The answer to an attempt."""

    saved = fields.Boolean(required=True)
    summary = fields.Nested(SummarySchema)


class ActivityStateSchema(Strict):
    """Where the pupil stands in one activity."""

    activity_id = fields.String(required=True)
    attempts = fields.Integer(required=True)
    best_score = fields.Float(required=True)
    completed = fields.Boolean(required=True)
    optimal = fields.Boolean(required=True)
    work = fields.Raw(allow_none=True)


class StateSchema(Strict):
    """`GET /api/v1/progress`: what to go on from."""

    lesson_id = fields.String(required=True)
    activities = fields.List(fields.Nested(ActivityStateSchema), required=True)


class TokenSchema(Strict):
    """A lesson's token; `expires_at` is UTC."""

    token = fields.String(required=True)
    expires_at = fields.String(required=True)


class TicketSchema(Strict):
    """What a lesson on another site got in the fragment of its address."""

    ticket = fields.String(required=True, validate=validate.Length(1, 200))


class LaunchContextSchema(TokenSchema):
    """What a lesson on another site gets for its ticket: a pseudonym of this lesson alone, and no id."""

    lesson_id = fields.String(required=True)
    activity_id = fields.String(required=True)
    api = fields.String(required=True)
    locale = fields.String(required=True)
    pseudonym = fields.String(required=True)
