"""What the LTI tool keeps: platforms, courses and links. Nothing in its tables is about a person who can be found."""

from __future__ import annotations

from types import MappingProxyType

from lti_server.privacy.holdings import Table, nobody, passing
from lti_server.privacy.participants import Declared

_PLATFORM = "the platform and its addresses"
_KEYS = "public keys of the platform, or keys of this tool"
_COURSE = "a course, a link or an item of it, the same for whoever opens it"


LTI_DATA = Declared(
    name="lti",
    tables=(
        Table(
            name="registration",
            columns=nobody(
                "id district_id grant_id issuer client_id auth_login_url auth_token_url jwks_url token_audience"
                " shared_id created_at removed_at product_family",
                _PLATFORM,
            ),
        ),
        Table(
            name="deployment",
            columns=nobody("id district_id registration_id deployment_id anonymous created_at", _PLATFORM),
        ),
        Table(
            name="platform_invitation",
            columns=nobody(
                "id district_id token_hash created_at expires_at claim claimed_until used_at registration_id",
                "a link by which an LMS registers itself; it names nobody",
            ),
        ),
        Table(
            name="platform_keys",
            columns=nobody(
                "registration_id district_id version jwks fetched_at unknown_kid_fetch_at failures retry_at", _KEYS
            ),
        ),
        Table(
            name="tool_key", columns=nobody("kid public_jwk wrapped_private created_at signs_from retired_at", _KEYS)
        ),
        Table(
            name="service_token",
            columns=nobody(
                "registration_id district_id scopes sealed epoch expires_at", "a token of the tool itself, sealed"
            ),
        ),
        Table(
            name="spent_nonce",
            columns=nobody("district_id nonce_hash expires_at", "the hash of random bits that are used once"),
        ),
        Table(
            name="deep_link_request",
            columns=MappingProxyType(
                {
                    **nobody(
                        "id district_id deployment_row_id grant_id grant_epoch locale created_at choose_until"
                        " expires_at answered_at",
                        "that a picker was opened from a course",
                    ),
                    **passing("settings", "what the LMS sent along for its own use, sealed; gone at expires_at"),
                }
            ),
        ),
        Table(
            name="deep_link_item",
            columns=nobody("id district_id grant_id lesson_id activity_id kind created_at", _COURSE),
        ),
        Table(
            name="resource_link",
            columns=nobody(
                "id district_id grant_id deployment_row_id resource_link_id section_id lesson_id activity_id title"
                " lineitems_url lineitem_url ags_scopes deep_link_item_id created_at copied_from_id",
                _COURSE,
            ),
        ),
        Table(
            name="course_copy",
            columns=nobody("district_id deployment_row_id context_id origin_context_id position recorded_at", _COURSE),
        ),
        Table(
            name="notice",
            columns=nobody(
                "id district_id registration_id deployment_row_id notice_id notice_type said received_at handled_at"
                " expires_at",
                "ids of courses; nothing about a person is kept of any notice",
            ),
        ),
        Table(
            name="notice_handler",
            columns=nobody(
                "deployment_row_id district_id service_url notice_types handler state reason asked_as settled_at",
                _PLATFORM,
            ),
        ),
    ),
)
