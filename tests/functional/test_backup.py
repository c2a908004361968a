"""A backup is made, the world goes on, and the backup comes back: nobody who was erased or revoked comes with it."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from sqlalchemy.engine import make_url

from lti_server import dumps, walls
from lti_server.app import House, build_house
from lti_server.cli import Commands
from lti_server.db import application_role, database_name
from lti_server.dumps import Programs
from lti_server.errors import ConfigurationError, Conflict, InvalidInput, LtiServerError
from lti_server.ids import GrantId
from tests.conftest import SECRET
from tests.functional.restored import Site, elsewhere, site

__all__ = ["elsewhere", "site"]


def test_a_backup_comes_back_row_for_row_in_a_database_of_another_name(site: Site, elsewhere: str) -> None:
    made = site.run("create", str(site.file))
    assert made["bytes"] == site.file.stat().st_size > 10_000
    before = site.contents()
    site.environment(elsewhere)
    found = site.run("restore", str(site.file))
    assert found["ok"]
    after = site.contents(elsewhere)
    changed = {name for name in before if before[name] != after[name]}
    # Entries of the log that tell of the backup; and what must not work twice.
    assert changed <= {
        "log_entry", "log_pending", "lesson_token", "session", "service_token", "deep_link_request", "invitation",
        "platform_invitation", "mail_message", "upstream_revocation", "revocation", "revocation_receipt", "grants",
        "procrastinate_jobs", "staff_access",
        "identity",  # of its tokens alone
        "link_intent", "email_code", "tenant_claim",
        # The neighbours' contracts name no population: what the database is held to follows the contract again.
        "contract_population",
        # Nor do they take ages: a restore does at once what the night would.
        "person_age",
    }  # fmt: skip
    assert {"person", "person_field", "progress_event", "membership", "district", "log_link", "directory"}.isdisjoint(
        changed
    )
    assert len(before["progress_event"]) >= 2


def test_the_walls_and_the_rights_of_the_restored_database_are_those_of_before(site: Site, elsewhere: str) -> None:
    site.run("create", str(site.file))
    site.environment(elsewhere)
    site.run("restore", str(site.file))
    walls.require(elsewhere)
    walls.require_log(elsewhere)
    rights = {url: rights_of(url) for url in (site.url, elsewhere)}
    assert len(rights[elsewhere]) > 100
    assert rights[elsewhere] == rights[site.url]
    house = build_house(site.settings, elsewhere, site.here.house.clock)
    try:
        assert [one.ok for one in house.audit.verify(house.audit.districts())] == [True, True]
        with house.database.tenant(site.here.tenants[0].district.id) as connection:
            assert connection.execute(sa.text("SELECT count(DISTINCT district_id) FROM person")).scalar_one() == 1
    finally:
        house.database.dispose()


def rights_of(url: str) -> set[tuple[str, str]]:
    """What the application role may do with each table, its columns, and each function."""
    with psycopg.connect(url) as connection:
        role = application_role(database_name(url))
        found = connection.execute(
            "SELECT relname, p FROM pg_class, unnest(ARRAY['SELECT','INSERT','UPDATE','DELETE','TRUNCATE']) p"
            " WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'alembic_version'"
            " AND has_table_privilege(%s, pg_class.oid, p)"
            " UNION SELECT relname || '.' || attname, p FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid,"
            " unnest(ARRAY['SELECT','INSERT','UPDATE']) p WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
            " AND attnum > 0 AND NOT attisdropped AND has_column_privilege(%s, pg_class.oid, attnum, p)"
            " UNION SELECT proname, 'EXECUTE' FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
            " AND has_function_privilege(%s, oid, 'EXECUTE')",
            [role, role, role],
        ).fetchall()
    return {(str(what), str(right)) for what, right in found}


def revoke_everything(house: House, site: Site) -> GrantId:
    tenant = site.here.tenants[0]
    grant_id = tenant.registered.grant_id
    house.grants.withdraw.begin(tenant.district.id, grant_id, by="cli:test", reason="Over.")
    assert house.grants.withdraw.finish(tenant.district.id, grant_id)
    return grant_id


def test_a_connection_that_was_revoked_after_the_backup_is_revoked_after_the_restore(
    site: Site, elsewhere: str
) -> None:
    site.run("create", str(site.file))
    grant_id = revoke_everything(site.here.house, site)
    query = f"SELECT count(*) FROM grants WHERE id = '{grant_id}' AND state = 'revoked' AND epoch = 2"
    assert site.count(query) == 1
    site.environment(elsewhere)
    found = site.run("restore", str(site.file))
    assert found["changed"]["revocation"] == 1
    assert site.count(query, elsewhere) == 1
    assert site.run("replay")["changed"]["revocation"] == 0
    assert site.count(query, elsewhere) == 1


def test_who_was_erased_after_the_backup_is_erased_after_the_restore(site: Site, elsewhere: str) -> None:
    house, tenant = site.here.house, site.here.tenants[0]
    site.run("create", str(site.file))
    with house.database.tenant(tenant.district.id) as connection:
        person = connection.execute(sa.text("SELECT person_id FROM progress_event LIMIT 1")).scalar_one()
    house.rights.erase(tenant.district.id, person, by="cli:test", keeps_grades=True)
    left = (
        f"SELECT (SELECT count(*) FROM person_field WHERE person_id = '{person}')"
        f" + (SELECT count(*) FROM progress_event WHERE person_id = '{person}')"
        f" + (SELECT count(*) FROM person WHERE id = '{person}' AND wrapped_key IS NOT NULL)"
    )
    assert site.count(left) == 0
    site.environment(elsewhere)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lti_server.cli.backup.do_again", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            site.run("restore", str(site.file))
    assert site.count(left, elsewhere) >= 3, "the backup knows that person"
    assert site.run("replay")["changed"]["erasure"] == 1
    assert site.count(left, elsewhere) == 0
    restored = build_house(site.settings, elsewhere, house.clock)
    try:
        assert all(one.ok for one in restored.audit.verify(restored.audit.districts()))
    finally:
        restored.database.dispose()


def test_no_token_session_invitation_or_waiting_mail_works_a_second_time(site: Site, elsewhere: str) -> None:
    site.run("create", str(site.file))
    token, reader = site.here.tenants[0].token, site.here.tenants[0].staff
    assert site.here.state(token).status_code == 200
    site.environment(elsewhere)
    site.run("restore", str(site.file))
    for query in (
        "SELECT count(*) FROM session", "SELECT count(*) FROM lesson_token", "SELECT count(*) FROM service_token",
        "SELECT count(*) FROM deep_link_request",
        "SELECT count(*) FROM invitation WHERE used_at IS NULL",
        "SELECT count(*) FROM platform_invitation WHERE used_at IS NULL",
        "SELECT count(*) FROM mail_message WHERE sealed IS NOT NULL",
        "SELECT count(*) FROM upstream_revocation WHERE sealed IS NOT NULL",
        "SELECT count(*) FROM identity WHERE sealed_token IS NOT NULL",
    ):  # fmt: skip
        assert site.count(query) > 0, query
        assert site.count(query, elsewhere) == 0, query
    assert reader.cookies


def test_server_worker_and_commands_refuse_until_the_replay_has_ended(
    site: Site, elsewhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.run("create", str(site.file))
    grant_id = revoke_everything(site.here.house, site)
    site.environment(elsewhere)

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("lti_server.cli.backup.do_again", dies)
        result = CliRunner().invoke(Commands(), ["backup", "restore", str(site.file)])
        assert result.exit_code != 0
    assert site.count(f"SELECT count(*) FROM grants WHERE id = '{grant_id}' AND state = 'active'", elsewhere) == 1
    monkeypatch.delattr("lti_server.cli.serve.Server")
    monkeypatch.delattr("lti_server.cli.serve.run_worker")
    for command in (["serve"], ["worker"], ["grant", "list", "--district", "north-valley"], ["backup", "create", "x"]):
        error = CliRunner().invoke(Commands(), command).exception
        assert isinstance(error, ConfigurationError), command
        assert "backup replay" in error.detail
    checks = json.loads(CliRunner().invoke(Commands(), ["doctor", "--json"]).stdout)["checks"]
    (told,) = [one for one in checks if one["name"] == "restore"]
    assert (told["ok"], "backup replay" in told["detail"]) == (False, True)
    assert site.run("replay")["changed"]["revocation"] == 1
    assert not dumps.is_pending(elsewhere)
    assert CliRunner().invoke(Commands(), ["district", "list"]).exit_code == 0


def test_a_restore_without_the_journal_is_refused_before_anything_is_touched(site: Site, elsewhere: str) -> None:
    site.run("create", str(site.file))
    site.environment(elsewhere, DATA_DIR=str(site.file.parent / "new-machine"))
    with pytest.raises(InvalidInput, match="There is no journal"):
        site.run("restore", str(site.file))
    assert site.count("SELECT count(*) FROM pg_class WHERE relname = 'person'", elsewhere) == 0
    journal = site.settings.data_dir / "journal.jsonl"
    if journal.exists():
        site.run("restore", str(site.file), "--journal", str(journal))
    else:
        site.run("restore", str(site.file), "--no-journal")
    assert site.count("SELECT count(*) FROM person", elsewhere) > 0


def test_a_database_that_is_not_empty_is_replaced_only_when_that_is_said(site: Site) -> None:
    site.run("create", str(site.file))
    with site.here.house.database.tenant(site.here.tenants[0].district.id) as connection:
        connection.execute(sa.text("DELETE FROM progress_summary"))
    before = site.count("SELECT count(*) FROM progress_summary")
    with pytest.raises(Conflict, match="--replace"):
        site.run("restore", str(site.file), "--no-journal")
    assert site.count("SELECT count(*) FROM progress_summary") == before
    site.without_users()
    site.run("restore", str(site.file), "--replace", "--no-journal")
    assert site.count("SELECT count(*) FROM progress_summary") > before
    for tenant in site.here.tenants:  # the server that runs on works with what came back
        assert site.here.ticket(tenant, site.here.pupil(0))


@pytest.mark.parametrize("harm", ["cut", "other", "empty"])
def test_a_file_that_is_cut_or_no_backup_restores_nothing(site: Site, harm: str) -> None:
    site.run("create", str(site.file))
    whole = site.file.read_bytes()
    site.file.write_bytes({"cut": whole[: len(whole) // 2], "other": b"name,grade\n", "empty": b""}[harm])
    before = site.contents()
    with pytest.raises(InvalidInput):
        site.run("restore", str(site.file), "--replace", "--no-journal")
    assert site.contents() == before


def test_a_backup_of_a_newer_version_is_refused(site: Site, elsewhere: str) -> None:
    with psycopg.connect(site.url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    dumps.create(site.url, site.file)
    site.environment(elsewhere)
    with pytest.raises(InvalidInput, match="newer version"):
        site.run("restore", str(site.file), "--no-journal")


def test_the_backup_holds_no_secret_and_says_so(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    made = site.run("create", str(site.file))
    assert any("SECRET_KEYS" in one for one in made["not_in_it"])
    assert any("journal" in one for one in made["not_in_it"])
    programs = dumps.programs_for(18)[-1]
    text = dumps._said([programs["pg_restore"], "--file=-", str(site.file)])
    assert "CREATE TABLE" in text
    assert SECRET not in text
    assert site.file.stat().st_mode & 0o077 == 0
    with pytest.raises(Conflict, match="not overwritten"):
        site.run("create", str(site.file))


def test_a_backup_under_a_secret_that_is_gone_is_told_and_stays_shut(site: Site, elsewhere: str) -> None:
    site.run("create", str(site.file))
    site.environment(elsewhere, SECRET_KEYS="another-secret-that-never-wrapped-anything")
    with pytest.raises(ConfigurationError, match="Add the secret of that time"):
        site.run("restore", str(site.file), "--no-journal")
    assert dumps.is_pending(elsewhere)
    site.environment(elsewhere)
    assert site.run("replay", "--no-journal")["ok"]


def test_a_login_behind_row_level_security_is_told_what_to_do(site: Site) -> None:
    role, database = f"plain_{uuid4().hex[:8]}", database_name(site.url)
    with psycopg.connect(site.url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN NOSUPERUSER NOBYPASSRLS")
        try:
            url = make_url(site.url).set(username=role).render_as_string(hide_password=False)
            with pytest.raises(ConfigurationError, match=f"ALTER ROLE {role} BYPASSRLS"):
                dumps.create(url, site.file)
        finally:
            connection.execute(f"DROP ROLE {role}")
    assert not site.file.exists()
    assert database


def test_without_a_pg_dump_that_is_new_enough_the_message_names_what_to_install(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dumps, "_installed", lambda: iter([Programs(folder=Path("/usr/bin"), major=14)]))
    with pytest.raises(LtiServerError, match=r"this machine has 14\. Install the package postgresql-client-"):
        site.run("create", str(site.file))


def test_the_nearest_version_is_taken() -> None:
    found = [one.major for one in dumps.programs_for(15)]
    assert found == sorted(found)
    assert found[0] >= 15
