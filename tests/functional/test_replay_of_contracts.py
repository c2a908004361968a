"""After a restore nothing is in force by a contract that was narrowed since, until its own file is there again."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest
import sqlalchemy as sa

from lti_server.app import House
from lti_server.errors import ContractForbids, NoContract
from lti_server.ids import ContractId
from lti_server.privacy.contracts import in_force
from lti_server.privacy.journal import JournalKind
from tests import world
from tests.functional.restored import Monday, doctor, elsewhere, monday, run, site

__all__ = ["elsewhere", "monday", "site"]

GONE = "student_work.student_generated_content"


def test_after_a_contract_was_narrowed_nothing_is_in_force_until_its_file_is_loaded_again(
    monday: Monday, tmp_path: Path
) -> None:
    slug, wide, narrow = monday.tenant.slug, tmp_path / "wide.yaml", tmp_path / "narrow.yaml"
    wide.write_text(world.contract(monday.house))
    narrow.write_text(world.contract(monday.house, without=(GONE,)))
    monday.backup()
    signed = run("contract", "amend", "--district", slug, str(narrow))
    found = monday.restore(JournalKind.CONTRACT)
    lost = {"version": signed["version"], "policy_hash": signed["policy_hash"]}
    assert found["to_load"] == [{"district": slug, **lost}]
    assert run("contract", "show", "--district", slug)["lost"] == [lost]
    assert "restore" in doctor()
    with monday.restored() as house:
        assert current(monday, house) is None
        with pytest.raises(NoContract):
            house.sync_roster()(monday.tenant.district)
        with pytest.raises(ContractForbids, match="--anew"):
            run("contract", "sign", "--district", slug, str(wide))
        assert current(monday, house) is None
        again = run("contract", "sign", "--district", slug, str(narrow))
        assert (again["id"], again["version"], again["state"]) == (signed["id"], signed["version"], "in_force")
        assert current(monday, house) == UUID(signed["id"])
        assert house.sync_roster()(monday.tenant.district).state == "applied"
    assert "restore" not in doctor()
    after = monday.site.run("replay")
    assert (after["to_load"], after["changed"]["contract"]) == ([], 0)


def test_a_process_that_ran_before_the_file_came_back_obeys_it_afterwards(monday: Monday, tmp_path: Path) -> None:
    narrow = tmp_path / "narrow.yaml"
    narrow.write_text(world.contract(monday.house, without=(GONE,)))
    monday.backup()
    signed = run("contract", "amend", "--district", monday.tenant.slug, str(narrow))
    monday.restore(JournalKind.CONTRACT)
    with monday.restored() as house, house.database.tenant(monday.district_id) as connection:
        house.retain(connection, monday.tenant.district)  # reads what stands in the place of the lost version
        assert GONE in house.policies.of(connection, ContractId(UUID(signed["id"]))).retain_days
        connection.commit()
        run("contract", "sign", "--district", monday.tenant.slug, str(narrow))
    with house.database.tenant(monday.district_id) as connection:
        assert GONE not in house.policies.of(connection, ContractId(UUID(signed["id"]))).retain_days
    house.database.dispose()


def test_a_district_that_has_lost_a_contract_may_sign_another_when_it_says_so(monday: Monday, tmp_path: Path) -> None:
    slug, other = monday.tenant.slug, tmp_path / "other.yaml"
    monday.backup()
    other.write_text(world.contract(monday.house, without=(GONE,)))
    run("contract", "amend", "--district", slug, str(other))
    monday.restore(JournalKind.CONTRACT)
    other.write_text(world.contract(monday.house, more="educator_elements: [name]"))
    signed = run("contract", "sign", "--district", slug, "--anew", str(other))
    assert (signed["version"], signed["state"]) == (3, "in_force")
    assert monday.site.run("replay")["to_load"] == []
    with pytest.raises(sa.exc.ProgrammingError, match="row-level security"):
        monday.ask("UPDATE contract SET kind = 'lost' WHERE kind = 'lost' RETURNING 1")
    assert monday.ask("UPDATE contract SET document = '' WHERE kind <> 'lost' RETURNING 1") == []


def current(monday: Monday, house: House) -> UUID | None:
    with house.database.tenant(monday.district_id) as connection:
        return in_force(connection, monday.tenant.district.zone, house.clock.now())
