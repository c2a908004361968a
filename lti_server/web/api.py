"""The HTTP API as OpenAPI 3.1, with one error form on the wire and in the description: RFC 9457."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, NoReturn

from flask import Flask
from flask_smorest import Api, Blueprint
from marshmallow import Schema, fields
from webargs.flaskparser import FlaskParser

from lti_server.errors import InvalidInput
from lti_server.web.guards import DECLARED, public

DESCRIPTION = (
    "Lessons save and resume here with the token of their launch. A district's administrators see and revoke its "
    "connections with the session of the console."
)


class FaultSchema(Schema):
    """One thing that is wrong with a request; the value itself is never repeated."""

    pointer = fields.String(required=True)
    message = fields.String(required=True)


class ProblemSchema(Schema):
    """A problem document (RFC 9457)."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    instance = fields.String()
    errors = fields.List(fields.Nested(FaultSchema))


class ProblemParser(FlaskParser):
    """webargs, with every fault of a request in one problem document."""

    def handle_error(self, error: Any, *_: Any, **__: Any) -> NoReturn:
        raise InvalidInput.listing("The request is not as it must be.", _faults(error.messages, ""))

    def load_json(self, req: Any, schema: Any) -> Any:
        try:
            return super().load_json(req, schema)
        except RecursionError:
            raise InvalidInput.listing(
                "The request is not as it must be.", [("", "This is nested too deep.")]
            ) from None

    def _handle_invalid_json_error(self, error: Any, *_: Any, **__: Any) -> NoReturn:
        raise InvalidInput.listing("The request is not as it must be.", [("", "This is not JSON in UTF-8.")])


class ApiBlueprint(Blueprint):  # type: ignore[misc]  # flask-smorest ships no types
    """A blueprint of the API: its views are described, and its faults are problems."""

    ARGUMENTS_PARSER = ProblemParser()


class ProblemApi(Api):  # type: ignore[misc]  # flask-smorest ships no types
    """flask-smorest's own error body and handlers stay out: `web.problems` answers for everything."""

    ERROR_SCHEMA = ProblemSchema

    def _register_error_handlers(self) -> None:
        """Nothing: the application's handlers are in place."""


def init_api(app: Flask) -> Any:
    """The API of this application; `/api/v1/openapi.json` describes it."""
    api = ProblemApi(app, spec_kwargs={"info": {"description": DESCRIPTION}})
    for endpoint, view in app.view_functions.items():
        if endpoint.startswith("api-docs") and not hasattr(view, DECLARED):
            described: Any = functools.partial(view)
            functools.update_wrapper(described, view)
            app.view_functions[endpoint] = public("describes the API")(described)
    return api


def _faults(messages: Any, pointer: str) -> list[tuple[str, str]]:
    if isinstance(messages, Mapping):
        return [
            fault
            for name, inner in messages.items()
            for fault in _faults(inner, pointer if name in ("json", "_schema") else f"{pointer}/{name}")
        ]
    return [(pointer, str(message)) for message in (messages if isinstance(messages, list) else [messages])]
