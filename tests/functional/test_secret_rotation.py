"""SECRET_KEYS are rotated while launches, lessons and mail go on; with the old secret gone, every row still opens.

The encrypted columns are found by query: a new one has to be given its place here before this passes.
"""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
import requests
import sqlalchemy as sa
from click.testing import CliRunner
from lti_server_demo_lms.profiles import PROFILES

from lti_server.accounts import email_codes
from lti_server.accounts.email_codes import Newcomer
from lti_server.accounts.permissions import StaffRole
from lti_server.accounts.provider_connections import WRAPPED as APPLICATIONS
from lti_server.app import House, build_house, create_app
from lti_server.cli import Commands
from lti_server.errors import ConfigurationError, SecretsMissing
from lti_server.lti import keys
from lti_server.mail import Message, mail_message, place
from lti_server.privacy import districts, rewrap
from lti_server.privacy.ages import Age
from lti_server.privacy.crypto import KEY_ID_BYTES, KeyRing, PersonKey
from lti_server.privacy.districts import District
from lti_server.privacy.log import payload_of
from tests.conftest import SECRET, fresh_database
from tests.functional.inviting import form_of
from tests.functional.tenants.neighbours import LESSON, Neighbours, neighbours

NEW = "the-secret-of-the-next-year-long-enough-too"
THIRD = "the-secret-of-the-year-after-long-enough-too"

# What keyed or plain hashes are: they open nothing and are compared alone.
HASHES = {
    "block_alias.hash", "directory.key_hash", "email_code.address_hash", "email_code.browser_hash",
    "confidence_promise.text_hash", "email_code.code_hash", "identity.subject_hash", "invitation.token_hash",
    "lesson_token.token_hash", "link_intent.intent_hash", "log_entry.leaf_hash", "log_link.hash",
    "person_field.fingerprint", "person_field.lookup",
    "platform_invitation.token_hash", "provider_signal.signal_hash", "session.cookie_hash", "session.ticket_hash",
    "session.provider_session_hash", "spent_nonce.nonce_hash",
}  # fmt: skip
PROCESSES: list[House] = []
Row = sa.Row[Any]
Opens = Callable[[House, District, PersonKey | None, Row], object]


def by_district(table: str, column: str, row_place: Callable[[Row], object]) -> Opens:
    def opens(house: House, owner: District, key: PersonKey | None, row: Row) -> object:
        return owner.keys.open(table, column, row_place(row), bytes(getattr(row, column)))

    return opens


def by_person(table: str, column: str, row_place: Callable[[Row], object]) -> Opens:
    def opens(house: House, owner: District, key: PersonKey | None, row: Row) -> object:
        assert key is not None
        return key.open(table, column, row_place(row), bytes(getattr(row, column)))

    return opens


def by_ring(purpose: str, row_place: Callable[[Row], bytes], column: str) -> Opens:
    def opens(house: House, owner: District, key: PersonKey | None, row: Row) -> object:
        return house.ring.unwrap(purpose, row_place(row), bytes(getattr(row, column)))

    return opens


SEALED: dict[str, Opens] = {
    "correction.ciphertext": by_person("correction", "ciphertext", lambda row: f"{row.person_id}|{row.field}"),
    "email_code.sealed": by_district("email_code", "sealed", lambda row: row.id),
    "guardian_request.sealed": by_district("guardian_request", "sealed", lambda row: row.id),
    "deep_link_request.settings": by_district("deep_link_request", "settings", lambda row: row.id),
    "district.data_key": by_ring("data_key", lambda row: bytes(row.id.bytes), "data_key"),
    "district.pepper": by_ring("pepper", lambda row: bytes(row.id.bytes), "pepper"),
    "document_key.wrapped_private": by_ring("document_key", lambda row: str(row.kid).encode(), "wrapped_private"),
    "identity.sealed_token": by_person("identity", "sealed_token", lambda row: row.id),
    "identity.subject": by_person("identity", "subject", lambda row: row.id),
    "instance_key.wrapped": by_ring("instance", lambda row: str(row.purpose).encode(), "wrapped"),
    "log_entry.payload": lambda house, owner, key, row: payload_of(owner.keys, bytes(row.payload)),
    "merge_ledger.sealed": by_person("merge_ledger", "sealed", lambda row: row.id),
    "mail_message.sealed": by_ring("mail", lambda row: place(row.district_id, row.id), "sealed"),
    "own_request.sealed": by_person("own_request", "sealed", lambda row: row.id),
    "person.wrapped_key": lambda house, owner, key, row: owner.keys.person_key(row.id, bytes(row.wrapped_key)),
    "person_age.sealed": by_person("person_age", "sealed", lambda row: row.id),
    "person_field.ciphertext": by_person(
        "person_field", "ciphertext", lambda row: f"{row.person_id}|{row.field}|{row.grant_id}"
    ),
    "progress_event.answers": by_person("progress_event", "answers", lambda row: row.id),
    "progress_event.work": by_person("progress_event", "work", lambda row: row.id),
    "provider_application.wrapped": by_ring("provider_application", lambda row: str(row.provider).encode(), "wrapped"),
    "provider_connection.sealed": by_district("provider_connection", "sealed", lambda row: row.id),
    "revocation.reason": by_district("revocation", "reason", lambda row: row.grant_id),
    "service_token.sealed": by_district(
        "service_token", "sealed", lambda row: f"{row.registration_id}|{row.scopes}|{row.epoch}"
    ),
    "staff_access.sealed": by_district("staff_access", "sealed", lambda row: row.id),
    "tool_key.wrapped_private": by_ring("tool_key", lambda row: str(row.kid).encode(), "wrapped_private"),
    "upstream_revocation.sealed": by_district("upstream_revocation", "sealed", lambda row: row.id),
}


@pytest.fixture
def here(template: tuple[str, str], server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neighbours]:
    """The first step of a rotation is done: every process can read what the next secret wraps."""
    folder = tmp_path_factory.mktemp("secrets")
    with (
        fresh_database(template, server_url) as url,
        neighbours(url, folder, PROFILES["canvas"], secrets=(SECRET, NEW)) as found,
    ):
        for tenant in found.tenants:
            save(found, tenant.token, work="two steps", answers="because")
        with found.house.database.anyone() as connection:
            found.house.mail.send(connection, None, Message(to="operator@school.example", subject="Up", text="Up."))
        found.house.document_keys.public_jwks()
        register(found)
        yield found
        while PROCESSES:
            PROCESSES.pop().database.dispose()


def register(here: Neighbours) -> None:
    """A code that somebody has asked for and not typed yet."""
    owner, now = here.tenants[0].district, here.house.clock.now()
    newcomer = Newcomer(name="Cool Coder", age=Age(15, now.date()), address="cool@coder.example")
    with here.house.database.tenant(owner.id) as connection:
        email_codes.issue(
            connection, owner.keys, way=email_codes.Way.REGISTER, browser="a browser", address_hash=b"a hash",
            newcomer=newcomer, opens=True, now=now,
        )  # fmt: skip


def save(here: Neighbours, token: str, **more: str) -> requests.Response:
    body = {
        "attempt_id": str(uuid4()), "activity_id": here.house.catalogue.get(LESSON).activities[0].id, "score": 1,
        "completed": True, "occurred_at": here.house.clock.now().isoformat(), **more,
    }  # fmt: skip
    head = {"Authorization": f"Bearer {token}"}
    answer = requests.post(f"{here.tool_url}/api/v1/progress", json=body, headers=head, timeout=20)
    answer.raise_for_status()
    return answer


def with_secrets(here: Neighbours, *secrets: str) -> House:
    """Another process with these SECRET_KEYS."""
    settings = dataclasses.replace(here.house.settings, secret_keys=secrets)
    PROCESSES.append(build_house(settings, here.house.database.url, here.house.clock))
    return PROCESSES[-1]


def everything(here: Neighbours) -> sa.Engine:
    """As somebody before whom no wall stands."""
    return sa.create_engine(
        here.house.database.url.replace("postgresql://", "postgresql+psycopg://"), poolclass=sa.NullPool
    )


def bytes_columns(here: Neighbours) -> list[tuple[str, str]]:
    with everything(here).connect() as connection:
        rows = connection.execute(
            sa.text(
                "SELECT table_name, column_name FROM information_schema.columns JOIN information_schema.tables"
                " USING (table_schema, table_name) WHERE table_schema = current_schema() AND udt_name LIKE '%bytea'"
                " AND table_type = 'BASE TABLE' AND table_name NOT LIKE 'procrastinate%' ORDER BY 1, 2"
            )
        )
        return [(table, column) for table, column in rows]


def opened(here: Neighbours, house: House) -> dict[str, int]:
    """How many rows of each encrypted column a process opens, all that there are; raises where one does not open."""
    owners = {one.id: one for one in districts.every(house.database, house.ring)}
    counts = {}
    with everything(here).connect() as connection:
        persons: dict[UUID, PersonKey] = {}
        for row in connection.execute(
            sa.text("SELECT id, district_id, wrapped_key FROM person WHERE key_destroyed_at IS NULL")
        ):
            persons[row.id] = owners[row.district_id].keys.person_key(row.id, bytes(row.wrapped_key))
        for name, opens in SEALED.items():
            table, column = name.split(".")
            rows = connection.execute(sa.text(f"SELECT * FROM {table} WHERE length({column}) > 0")).all()
            for row in rows:
                names = row._mapping
                owner = owners.get(names["id"] if table == "district" else names.get("district_id"))  # type: ignore[arg-type]  # a column of whichever table
                whose = names.get("person_id", names.get("from_person_id"))
                opens(house, owner or next(iter(owners.values())), persons.get(whose), row)
            counts[name] = len(rows)
    return counts


def test_every_column_of_bytes_is_known_as_a_ciphertext_or_a_hash(here: Neighbours) -> None:
    found = {f"{table}.{column}" for table, column in bytes_columns(here)}
    assert found == SEALED.keys() | HASHES


class People:
    """Launches, mail and signatures, again and again, by processes of both steps, until it is over."""

    def __init__(self, here: Neighbours, second: House) -> None:
        self._here = here
        self._houses = (here.house, second)
        self._over = threading.Event()
        self.failed: list[str] = []
        self.done: dict[str, int] = {}

    def __enter__(self) -> People:
        self._threads = [
            threading.Thread(target=self._work, args=(one,)) for one in (self._launch, self._post, self._sign)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(timeout=60)

    def wait(self) -> None:
        self._over.wait(0.3)

    def _work(self, what: Callable[[], None]) -> None:
        while not self._over.is_set():
            try:
                what()
                self.done[what.__name__] = self.done.get(what.__name__, 0) + 1
            except Exception as error:
                self.failed.append(f"{what.__name__}: {error!r}")
                return

    def _launch(self) -> None:
        for tenant in self._here.tenants:
            self._here.ticket(tenant, self._here.pupil(0))
            save(self._here, tenant.token, work="again")

    def _post(self) -> None:
        for house in self._houses:
            for tenant in self._here.tenants:
                with house.database.tenant(tenant.district.id) as connection:
                    house.mail.send(connection, tenant.district.id, Message(to="a@b.example", subject="s", text="t"))

    def _sign(self) -> None:
        for house in self._houses:
            assert house.tool_keys.current().kid
            assert house.document_keys.public_jwks()["keys"]
            assert districts.every(house.database, house.ring)


def test_all_is_wrapped_anew_while_people_work_and_opens_without_the_old_secret(here: Neighbours) -> None:
    second = with_secrets(here, NEW, SECRET)
    with People(here, second) as people:
        for _ in range(5):
            assert sum(second.rewrap().values()) > 0
            people.wait()
    assert people.failed == []
    assert len(people.done) == 3
    # The server of before is stopped; what it wrote meanwhile is wrapped anew, too.
    second.rewrap()
    alone = with_secrets(here, NEW)
    assert {name for name, rows in opened(here, alone).items() if not rows} == set()
    assert all(one.older == one.unreadable == 0 for one in alone.rewrap.standing())
    assert sum(alone.rewrap().values()) == 0
    assert begun_with(here, with_secrets(here, SECRET).ring) == set()
    with pytest.raises(ConfigurationError):
        districts.every(here.house.database, with_secrets(here, SECRET).ring)


def begun_with(here: Neighbours, old: KeyRing) -> set[str]:
    """Columns of bytes, ciphertext or not, with a value that a secret has wrapped for any purpose."""
    begins = {key for one in (*rewrap.WRAPPED, keys.WRAPPED, APPLICATIONS) for key in old.key_ids(one.purpose)}
    found = set()
    with everything(here).connect() as connection:
        for table, column in bytes_columns(here):
            statement = sa.text(f"SELECT DISTINCT substring({column} from 1 for {KEY_ID_BYTES}) FROM {table}")
            values = connection.execute(statement).scalars()
            found |= {f"{table}.{column}" for value in values if value is not None and bytes(value) in begins}
    return found


def test_a_run_that_was_killed_goes_on_where_it_was(here: Neighbours, monkeypatch: pytest.MonkeyPatch) -> None:
    second = with_secrets(here, NEW, SECRET)
    before = sum(one.older for one in second.rewrap.standing())
    real, calls = second.rewrap._batch, iter(range(100))

    def dies(*arguments: Any) -> int:
        changed = real(*arguments)
        if next(calls) == 3:
            raise KeyboardInterrupt
        return changed

    monkeypatch.setattr(rewrap, "BATCH", 1)
    monkeypatch.setattr(second.rewrap, "_batch", dies)
    with pytest.raises(KeyboardInterrupt):
        second.rewrap()
    left = sum(one.older for one in second.rewrap.standing())
    assert 0 < left < before
    assert sum(with_secrets(here, NEW, SECRET).rewrap().values()) == left
    opened(here, with_secrets(here, NEW))


def command(here: Neighbours, monkeypatch: pytest.MonkeyPatch, secrets: str, *arguments: str) -> Any:
    settings = here.house.settings
    values = {
        "DATABASE_URL": here.house.database.url, "SECRET_KEYS": secrets, "DATA_DIR": str(settings.data_dir),
        "BASE_URL": settings.base_url, "INSECURE_HOSTS": ",".join(settings.insecure_hosts),
    }  # fmt: skip
    for name, value in values.items():
        monkeypatch.setenv(f"LTI_SERVER_{name}", value)
    return CliRunner().invoke(Commands(), [*arguments, "--json"])


def wrapped_check(result: Any) -> tuple[bool, str]:
    (found,) = [one for one in json.loads(result.stdout)["checks"] if one["name"] == "wrapped keys"]
    return found["ok"], found["detail"]


def test_the_commands_tell_what_is_under_an_old_secret_and_when_it_may_go(
    here: Neighbours, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = f"{NEW},{SECRET}"
    before = json.loads(command(here, monkeypatch, both, "keys", "list").stdout)
    assert [one["current"] for one in before["secrets"]] == [True, False]
    assert before["secrets"][1]["rows"] == sum(one["older"] for one in before["wrapped"]) >= 9
    ok, detail = wrapped_check(command(here, monkeypatch, both, "doctor"))
    assert ok
    assert "keys rewrap" in detail
    done = json.loads(command(here, monkeypatch, both, "keys", "rewrap").stdout)
    assert (done["ok"], done["left"]) == (True, {})
    assert sum(done["rewrapped"].values()) == before["secrets"][1]["rows"]
    after = json.loads(command(here, monkeypatch, NEW, "keys", "list").stdout)
    assert {one["older"] + one["unreadable"] for one in after["wrapped"]} == {0}
    assert wrapped_check(command(here, monkeypatch, NEW, "doctor")) == (True, "all are under the current secret")
    assert SECRET not in json.dumps(before)


def test_a_secret_that_was_taken_away_too_early_is_told_and_nothing_is_lost(
    here: Neighbours, monkeypatch: pytest.MonkeyPatch
) -> None:
    ok, detail = wrapped_check(command(here, monkeypatch, THIRD, "doctor"))
    assert not ok
    assert "Add the secret that was used before" in detail
    second = with_secrets(here, NEW, SECRET)
    with everything(here).begin() as connection:  # a message that a forgotten process wraps with a secret of its own
        stray = with_secrets(here, THIRD).ring.wrap("mail", b"x", b"y")
        (one,) = connection.execute(sa.select(mail_message.c.id).limit(1)).scalars()
        connection.execute(sa.update(mail_message).where(mail_message.c.id == one).values(sealed=stray))
    result = command(here, monkeypatch, f"{NEW},{SECRET}", "keys", "rewrap")
    assert isinstance(result.exception, SecretsMissing)
    assert result.exception.public["left"] == {"mail_message.sealed": 1}
    assert "Keep every secret" in result.exception.detail
    assert sum(one.older for one in second.rewrap.standing()) == 0


def test_a_form_that_stood_open_over_the_rotation_can_be_sent(here: Neighbours) -> None:
    token, _ = here.house.invitations.invite(StaffRole.DISTRICT_ADMIN, here.tenants[0].district.id)
    page = f"/signin/invitation/{token}"
    before = create_app(with_secrets(here, SECRET, NEW)).test_client()
    html = before.get(page).text
    form = form_of(html)
    (cookie,) = [one for one in before._cookies.values() if one.key == "lti_form"]  # type: ignore[union-attr]  # a client with cookies
    after = create_app(with_secrets(here, NEW, SECRET)).test_client()
    after.set_cookie(cookie.key, cookie.value)
    assert after.post(page, data=form).status_code == 303
    with_secrets(here, NEW, SECRET).rewrap()
    refused = create_app(with_secrets(here, NEW)).test_client()
    refused.set_cookie(cookie.key, cookie.value)
    assert refused.post(page, data=form).status_code == 403
