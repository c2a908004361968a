"""What is kept of those who come by e-mail: codes that were asked for. Nobody can be found by them."""

from __future__ import annotations

from types import MappingProxyType

from lti_server.privacy.holdings import Table, nobody, passing
from lti_server.privacy.participants import Declared

EMAIL_DATA = Declared(
    name="codes by e-mail",
    tables=(
        Table(
            name="registration_desk",
            columns=nobody("district_id opened_at opened_by closed_at closed_by", "whether people register themselves"),
        ),
        Table(
            name="email_code",
            columns=MappingProxyType(
                {
                    **nobody(
                        "id district_id way attempts created_at open_until expires_at used_at", "a code, and when"
                    ),
                    **nobody("code_hash browser_hash", "keyed hashes of the code and of the browser that asked"),
                    **passing("address_hash", "the keyed hash of an address; gone after an hour"),
                    **passing("sealed", "what a newcomer said, sealed; gone once the code is used, or after an hour"),
                }
            ),
        ),
    ),
)
