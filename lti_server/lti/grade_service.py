"""Calls of one platform's grade services: each with a token for one scope, and to the hosts of signed claims alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping

from lti_server.lti.platform_profiles import LINE_ITEM, LINE_ITEM_READONLY, SCORE, PlatformProfile
from lti_server.lti.tokens import Service, ServiceTokens, ToPlatform
from lti_server.privacy.disclose import Disclosed
from lti_server.providers.errors import BrokeContract
from lti_server.providers.spi import Transport
from lti_server.providers.wire import Authorization, Response, host_of, next_link, origin_of, walk

MEDIA = "application/vnd.ims.lis."
# Answers with a meaning of their own: they come back, and are no failure of the call.
REFUSALS = (400, 401, 403, 404, 409, 410, 412, 422)
GONE = (404, 410)


class Refused(Exception):
    """The platform refuses a call of its line items or results, with this status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"refused with {status}")
        self.status = status


class GradeService:
    """The grade services of one course, as one link's launch named them. `granted` are the scopes of that launch."""

    def __init__(self, transport: Transport, tokens: ServiceTokens, service: Service, granted: Collection[str]) -> None:
        self._transport = transport
        self._tokens = tokens
        self._service = service
        self._granted = frozenset(granted)

    @property
    def profile(self) -> PlatformProfile:
        return self._service.profile

    def allows(self, scope: str) -> bool:
        """Whether the launch granted a scope (AGS 2.0, 3.1): the platform may grant fewer than were asked for."""
        return scope in self._granted

    @property
    def reading(self) -> str | None:
        """The scope that reads line items here, or None; `lineitem` includes reading but on Moodle."""
        wanted = (self.profile.line_item_read_scope, LINE_ITEM_READONLY, LINE_ITEM)
        return next((scope for scope in wanted if scope in self._granted), None)

    def call(
        self, method: str, url: str, scope: str, *, media: str, line_item: Mapping[str, object] | None = None
    ) -> Response:
        """One call with a token that tells of a column at most, and of nobody.

        Raises:
            RejectedCredentials: the platform gives no token. RateLimited, Unavailable, BrokeContract as they are.
        """
        body = None if line_item is None else json.dumps(line_item).encode()
        return self._call(method, url, scope, media=media, body=body)

    def send_score(self, url: str, score: Disclosed[bytes]) -> Response:
        """Send a score: nothing of a pupil goes to a gradebook another way. Raises as `call`."""
        return self._call("POST", url, SCORE, media="v1.score+json", body=score.value)

    def _call(self, method: str, url: str, scope: str, *, media: str, body: bytes | None) -> Response:
        """A 401 gets one new token, then it stands."""
        for attempt in range(2):
            token = self._tokens.bearer(self._service, [scope])
            answer = self._transport.request(
                method,
                url,
                headers={"Accept" if body is None else "Content-Type": MEDIA + media},
                body=body,
                authorization=Authorization.bearer(token, hosts={host_of(url)}),
                accept=REFUSALS,
            )
            if answer.status != 401 or attempt == 1:
                break
            self._tokens.forget(self._service, [scope])
        return answer

    def rows(self, url: str, scope: str, *, media: str) -> Iterator[object]:
        """Everything of a list, over all its pages on its own host.

        Raises:
            Refused: the platform refuses a page. BrokeContract: a page is no list, or the pages run astray.
        """

        def page(address: str) -> Response:
            return self.call("GET", address, scope, media=media)

        for answer in walk(page, url, next_url=next_link):
            if answer.status >= 300:
                raise Refused(answer.status)
            found = answer.json()
            if not isinstance(found, list):
                raise BrokeContract("The LMS's answer is no list of its gradebook.")
            yield from found


def grade_services(
    to_platform: ToPlatform, tokens: ServiceTokens
) -> Callable[[Service, Collection[str]], GradeService]:
    """Makes the grade services of a platform, given what a launch granted; each call within the fence of its grant."""

    def of(service: Service, granted: Collection[str]) -> GradeService:
        return GradeService(to_platform(service), tokens, service, granted)

    return of


def on_the_same_host(url: object, as_url: str) -> str:
    """An address that the platform sent in a body: a token goes there only where a signed claim named the host.

    Raises:
        BrokeContract: it is on another host, or no address.
    """
    try:
        same = isinstance(url, str) and origin_of(url) == origin_of(as_url)
    except ValueError:
        same = False
    if not isinstance(url, str) or not same:
        raise BrokeContract("The LMS names a line item on another host than its own gradebook.")
    return url
