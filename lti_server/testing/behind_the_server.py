"""Checks of the sign-in contract that run the plugin behind the server's own flow: state, cookies, refusals, gate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

from lti_server.testing.alterations import from_then_on
from lti_server.testing.applying import only_where
from lti_server.testing.callbacks import INVALID_GRANT
from lti_server.testing.contract import NAME_FIELDS
from lti_server.testing.signing_in import KEYS, SigningIn

if TYPE_CHECKING:
    from lti_server.testing.server import Answer, Browser, Server

    Spoilt = tuple[Browser, str]

SENT_ON, REFUSED, TOO_LATE_S = 303, 403, 601
TOLD: Final = (*NAME_FIELDS, "email", "phone", "username")


class ServerChecks(SigningIn):
    """As a pupil's browser goes it, with the recording for a vendor. The server needs no database for it."""

    server_of_the_kit: ClassVar[Any] = None

    def test_the_servers_own_flow_signs_in(self) -> None:
        """Whoever goes the whole way there and back is who it was in the recording."""
        server = self.served()
        browser = server.browser()
        asked = server.begins(browser).asked
        assert asked.get("redirect_uri") == server.redirect_uri, "the provider is not asked to lead back to the server"
        self._is_in(server, server.back(browser))

    def test_an_arrival_from_a_portal_begins_anew(self) -> None:
        """A code without a state may be anybody's: it is dropped, and the sign-in begins here; a circle is ended."""
        server = self.served()
        browser = server.browser()
        answer = server.back(browser, state=None)
        assert server.codes_handed_in == 0, "a code that came without a state is handed in"
        server.sent(answer)
        self._turned_away(server, server.back(browser, state=None), "a second arrival without a state")
        who = self.good().identity
        if who is not None and who.tenant:  # by the operator's application, the tenant alone says whose somebody is
            self._is_in(server, server.back(browser))

    def test_a_wrong_state_lets_nobody_in(self) -> None:
        """Forged, empty, of another provider, in another browser, or too old: it is refused, and no code handed in."""
        for what, spoil in WRONG.items():
            server = self.served()
            browser = server.browser()
            state = server.begins(browser).asked["state"]
            browser, state = spoil(server, browser, state)
            self._turned_away(server, server.back(browser, state=state), what)

    def test_a_code_used_twice_lets_nobody_in(self) -> None:
        """The way back opens once: a second time nothing is handed in, and a copy of everything opens nothing."""
        server = self.served()
        browser = server.browser()
        thief = server.copy_of(server.begins(browser))
        self._is_in(server, server.back(browser))
        handed_in = server.codes_handed_in
        assert server.back(browser).status_code == SENT_ON, "whoever is in does not stay in after a reload"
        assert server.codes_handed_in == handed_in, "a reload hands the code in again"
        server.alter = from_then_on(self.handed_in(), status=400, body=INVALID_GRANT)
        answer = server.back(thief)
        assert len(server.came) == 1, "somebody is let in by a code that was used"
        assert answer.status_code == REFUSED, f"a used code ends with {server.said_of(answer)}"

    @only_where(lambda self: self.told(*TOLD), "the recording tells nothing of anybody")
    def test_what_the_contract_does_not_allow_is_dropped(self) -> None:
        """Under a contract that allows nothing, nothing is kept of a pupil or of staff, under no name and in no id."""
        server = self.served()
        browser = server.browser()
        server.begins(browser)
        self._is_in(server, server.back(browser))
        (who,) = server.came
        for kind in server.kinds:
            assert server.kept(who, kind) == {}, f"something is kept of {kind} that no contract allows"
        ids = {who.subject, who.tenant, who.provider_session_id, *who.person.legacy_ids}
        assert not ids & self.told(*NAME_FIELDS, "email", "phone"), "an id is somebody's name, e-mail or telephone"

    def served(self) -> Server:
        """The server, with this plugin behind it."""
        from lti_server.testing.server import Server  # a contract of rosters needs no web server

        return (self.server_of_the_kit or Server)(self)

    def _is_in(self, server: Server, answer: Answer) -> None:
        assert answer.status_code == SENT_ON, f"the server lets nobody in: {server.said_of(answer)}"
        good = self.good().identity
        for name in KEYS:
            same = getattr(server.came[-1], name) == getattr(good, name)
            assert same, f"behind the server, the {name} is another than in the recording"

    def _turned_away(self, server: Server, answer: Answer, what: str) -> None:
        assert not server.came, f"somebody is let in by {what}"
        assert answer.status_code == REFUSED, f"{what} ends with {server.said_of(answer)}"
        assert server.codes_handed_in == 0, f"a code is handed in after {what}"


def _too_late(server: Server, browser: Browser, state: str) -> Spoilt:
    server.clock.advance(seconds=TOO_LATE_S)
    return browser, state


WRONG: Final[Mapping[str, Callable[[Server, Browser, str], Spoilt]]] = {
    "a forged state": lambda _server, browser, _state: (browser, "forged"),
    "an empty state": lambda _server, browser, _state: (browser, ""),
    "a changed state": lambda _server, browser, state: (browser, ("B" if state[0] == "A" else "A") + state[1:]),
    "a state of another provider": lambda server, browser, _state: (browser, server.state_of_another(browser)),
    "a sign-in that another browser began": lambda server, _browser, state: (server.browser(), state),
    "a state that is older than ten minutes": _too_late,
}
