"""`make mutants-grants`: the fence, the epoch predicate and the token wipe are taken away in turn; a test must notice."""

from __future__ import annotations

from dataclasses import replace

from tests.benchmarks.mutants_launch import Mutant, main

TESTS = (
    "tests/unit/privacy/test_grant_states.py", "tests/integration/privacy/test_grants.py",
    "tests/integration/roster/test_revocation.py", "tests/integration/roster/test_narrowing.py",
    "tests/integration/privacy/test_revocation_histories.py", "tests/functional/test_contract_population.py",
)  # fmt: skip
PRIVACY = "lti_server/privacy/"
POPULATION = "lti_server/migrations/versions/0015_population.sql"
BY_CONTRACT = "lti_server/migrations/versions/0024_contract_population.sql"
HELD = "lti_server/migrations/versions/0005_grants.sql"

MUTANTS = (
    Mutant("fence: around a request", "lti_server/providers/transport.py", "        with self._around():\n", "        with nullcontext():\n"),
    Mutant("fence: taken", HELD, "IF NOT pg_try_advisory_xact_lock_shared(grant_key(wanted)) THEN", "IF false THEN"),
    Mutant("fence: waited for", PRIVACY + "revocation.py", "            connection.execute(_EXCLUSIVE, {\"grant\": withdrawal.grant_id})\n", ""),
    Mutant("fence: checked inside", HELD, "  RETURN grant_is_at(wanted, at_epoch, wanted_use);\n", "  RETURN true;\n"),
    Mutant("epoch: of a row", HELD, "IF grant_hold(mine, at_epoch, NULL) IS NOT TRUE THEN", "IF grant_hold(mine, NULL, NULL) IS NOT TRUE THEN"),
    Mutant("epoch: predicate", HELD, "(at_epoch IS NULL OR epoch = at_epoch)", "true"),
    Mutant("epoch: trigger", HELD, "IF grant_hold(mine, at_epoch, NULL) IS NOT TRUE THEN", "IF false THEN"),
    Mutant("epoch: next one", PRIVACY + "grant_states.py", "epoch=self.epoch + (to is GrantState.REVOKING)", "epoch=self.epoch"),
    Mutant("state: in force", HELD, "WHERE id = wanted AND state = 'active'\n", "WHERE id = wanted\n"),
    Mutant("state: terminal", HELD, "IF NEW.state <> OLD.state AND NOT grant_may_move(OLD.state, NEW.state) THEN", "IF false THEN"),
    Mutant("state: epoch never falls", HELD, "IF NEW.epoch < OLD.epoch THEN", "IF false THEN"),
    Mutant("state: held in every session", HELD, "ALTER TABLE grants ENABLE ALWAYS TRIGGER grant_moves;\n", ""),
    Mutant("use: of a page", HELD, " AND (wanted_use IS NULL OR wanted_use = ANY (uses))", ""),
    Mutant("token wipe", "lti_server/lti/withdrawal.py", "\"DELETE FROM service_token WHERE registration_id IN (SELECT id FROM registration WHERE grant_id = :grant)\"", "\"DELETE FROM service_token WHERE registration_id IN (SELECT id FROM registration WHERE grant_id = :grant AND false)\""),
    Mutant("memberships end", "lti_server/roster/withdrawal.py", "WHERE grant_id = :grant AND ended_at IS NULL\"\n    \" AND (:whole", "WHERE grant_id = :grant AND ended_at IS NULL AND false\"\n    \" AND (:whole"),
    Mutant("another grant's memberships stay", "lti_server/roster/withdrawal.py", "UPDATE membership SET ended_at = :at WHERE grant_id = :grant AND", "UPDATE membership SET ended_at = :at WHERE"),
    Mutant("jobs cancelled", "lti_server/roster/withdrawal.py", "WHERE j.status = 'todo'", "WHERE j.status = 'doing'"),
    Mutant("population: of a membership", BY_CONTRACT, "    inside := grant_reaches(NEW.grant_id, NEW.section_id);\n", "    inside := true;\n"),
    Mutant("population: of a section", BY_CONTRACT, "  IF NOT inside THEN", "  IF NOT inside AND TG_TABLE_NAME = 'membership' THEN"),
    Mutant("contract's population: of a membership", BY_CONTRACT, "AS $$ SELECT contract_reaches(wanted, in_section) AND (", "AS $$ SELECT true AND ("),
    Mutant("contract's population: of a section", BY_CONTRACT, "    IF inside AND named IS NOT NULL THEN", "    IF false THEN"),
    Mutant("contract's population: of a person", BY_CONTRACT, "AS $$ SELECT (NOT contract_reaches_person(wanted, somebody) OR EXISTS (", "AS $$ SELECT (EXISTS ("),
    Mutant("population: stays narrow", POPULATION, "IF OLD.narrowed AND NOT NEW.narrowed THEN", "IF false THEN"),
    Mutant("population: what is outside ends", "lti_server/roster/withdrawal.py", "    \" AND NOT grant_reaches(:grant, section_id)\"\n)", "    \" AND false\"\n)"),
    Mutant("population: sessions outside", "lti_server/accounts/withdrawal.py", "AND NOT grant_reaches(:grant, m.section_id))\"", "AND false)\""),
    Mutant("quarantine", "lti_server/accounts/store.py", "person_field.c.grant_id.not_in(withdrawn())", "person_field.c.grant_id.is_not(None)"),
)  # fmt: skip


if __name__ == "__main__":
    main([replace(one, tests=TESTS) for one in MUTANTS], TESTS)
