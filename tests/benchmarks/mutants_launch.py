"""`make mutants-launch`: each check of the launch is taken away in turn, in a copy; a test must notice. Prints the survivors."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).parents[2]
AT_ONCE = 2
TESTS: tuple[str, ...] = (
    "tests/unit/lti", "tests/functional/test_launch.py", "tests/functional/test_launch_refused.py",
    "tests/functional/test_hostile_text.py",
    "tests/functional/test_repeated_launches.py", "tests/functional/test_hostile_launches.py",
    "tests/functional/test_cookieless_launch.py",
)  # fmt: skip
LTI = "lti_server/lti/"
STATES = "lti_server/accounts/browser_states.py"
STORAGE = LTI + "static/lti/platform_storage.js"
# What a page's own script checks, Chromium alone can tell.
IN_CHROMIUM = ("tests/browser/test_cookieless_launch.py",)
STEPS = "lti_server/migrations/versions/0001_launch.sql"
AGAIN = "lti_server/migrations/versions/0014_repeated_launches.sql"
STANDING = "lti_server/migrations/versions/0005_grants.sql"


@dataclass(frozen=True)
class Mutant:
    """One check and what stands in its place."""

    name: str
    file: str
    check: str
    instead: str
    tests: tuple[str, ...] = TESTS


MUTANTS: tuple[Mutant, ...] = (
    Mutant("state: signature", STATES, "self._serializer.loads(text)", "self._serializer.loads_unsafe(text)[1]"),
    Mutant("state: age", STATES, 'if content["t"] < int(self._clock.now().timestamp()) - LONGEST_LOGIN_S:', "if False:"),
    Mutant("state: browser", LTI + "state.py", 'binds(cookie, content["b"])', "True"),
    Mutant("state: storage", LTI + "state.py", 'binds(stored, content["s"])', "True"),
    Mutant("state: storage was offered", LTI + "state.py", ' and "s" in content and binds(stored, content["s"])', ' and binds(stored, content.get("s", digest("")))'),
    Mutant("binding: from our own page", LTI + "views.py", 'if request.headers.get("Origin") != origin_of(parts.base_url):', "if False:"),
    Mutant("binding: asked for once", LTI + "views.py", " and BINDING not in form", ""),
    Mutant("storage: origin of the answer", STORAGE, "event.origin !== origin || ", "", IN_CHROMIUM),
    Mutant("storage: origin that is asked", STORAGE, "message_id: id }, origin)", 'message_id: id }, "*")', IN_CHROMIUM),
    Mutant("storage: message id", STORAGE, "waiting.get(said.message_id)", "waiting.get(said.message_id) ?? [...waiting.values()].find((one) => said.subject === `${one}.response`)", IN_CHROMIUM),
    Mutant("storage: subject", STORAGE, " || said.subject !== `${name}.response`", "", IN_CHROMIUM),
    Mutant("storage: key", LTI + "static/lti/launch.js", "said.key === key && ", "", IN_CHROMIUM),
    Mutant("token: size", LTI + "signature.py", "if len(text) > LONGEST_TOKEN:", "if False:"),
    Mutant("token: algorithm", LTI + "signature.py", 'if header.get("alg") not in ALGORITHMS or "crit" in header:', "if False:"),
    Mutant("token: crit", LTI + "signature.py", ' or "crit" in header', ""),
    Mutant("token: kid", LTI + "signature.py", "if not isinstance(kid, str) or not kid or len(kid) > 255:", "if False:"),
    Mutant("token: a key twice", LTI + "signature.py", "if len(found) != len(pairs):", "if False:"),
    Mutant("token: NaN", LTI + "signature.py", "parse_constant=_no_constant", "parse_constant=float"),
    Mutant("token: an object", LTI + "signature.py", "if not isinstance(found, dict):", "if False:"),
    Mutant("signature", LTI + "messages.py", "    signature.verify(token, keys)\n", ""),
    Mutant("keys: unknown kid", LTI + "messages.py", "if token.kid not in keys:", "if False:"),
    Mutant("keys: strength", LTI + "signature.py", "if _bits(jwk[\"n\"]) >= LOWEST_KEY_BITS:", "if True:"),
    Mutant("keys: use", LTI + "signature.py", ' or jwk.get("use", "sig") != "sig"', ""),
    Mutant("keys: once a minute", LTI + "platform_keys.py", "return now - self.unknown_kid_fetch_at >= timedelta(seconds=UNKNOWN_KID_INTERVAL_S)", "return True"),
    Mutant("keys: first unknown kid at once", LTI + "platform_keys.py", "if not for_unknown_kid or self.unknown_kid_fetch_at is None:", "if not for_unknown_kid:"),
    Mutant("keys: back off", LTI + "platform_keys.py", "if self.retry_at is not None and now < self.retry_at:", "if False:"),
    Mutant("keys: age", LTI + "platform_keys.py", "age > REFUSE_AFTER", "False"),
    Mutant("issuer", LTI + "claims.py", 'if claims.get("iss") != issuer:', "if False:"),
    Mutant("audience", LTI + "claims.py", "if not isinstance(listed, list) or client_id not in listed:", "if False:"),
    Mutant("azp", LTI + "claims.py", "if (party is not None or len(listed) > 1) and party != client_id:", "if False:"),
    Mutant("azp: several audiences", LTI + "claims.py", "(party is not None or len(listed) > 1)", "party is not None"),
    Mutant("times: required", LTI + "claims.py", "if not _is_number(expires) or not _is_number(issued):", "if False:"),
    Mutant("times: a truth value is no number", LTI + "claims.py", " and not isinstance(value, bool)", ""),
    Mutant("times: exp", LTI + "claims.py", "if expires <= now - LEEWAY_S:", "if False:"),
    Mutant("times: leeway", LTI + "claims.py", "LEEWAY_S = 60", "LEEWAY_S = 0"),
    Mutant("times: maximum age", LTI + "claims.py", "if issued < now - LONGEST_AGE_S:", "if False:"),
    Mutant("times: iat ahead", LTI + "claims.py", "if issued > now + LEEWAY_S or", "if"),
    Mutant("times: nbf", LTI + "claims.py", " or not _is_number(not_before) or not_before > now + LEEWAY_S", ""),
    Mutant("nonce: bound to the state", LTI + "claims.py", 'if claims.get("nonce") != nonce:', "if False:"),
    Mutant("nonce: spent once", LTI + "launches.py", "if not arrival.fresh:", "if False:"),
    Mutant("nonce: by the insert", LTI + "store.py", "  ON CONFLICT DO NOTHING RETURNING 1)", "  ON CONFLICT (district_id, nonce_hash) DO UPDATE SET expires_at = excluded.expires_at RETURNING 1)"),
    Mutant("deployment: of the login", LTI + "messages.py", "if state.deployment_id is not None and state.deployment_id != named:", "if False:"),
    Mutant("deployment: named", LTI + "messages.py", 'opaque_id(token.claims.get(LTI + "deployment_id"))', 'token.claims.get(LTI + "deployment_id")'),
    Mutant("platform: removed", STANDING, " AND r.removed_at IS NULL", ""),
    Mutant("grant: active", LTI + "messages.py", 'if standing.grant_state != "active":', "if False:"),
    Mutant("contract: in force", LTI + "store.py", " or valid_to < today", ""),
    Mutant("contract: provider", LTI + "launches.py", 'if not policy.allows_provider("lti"):', "if False:"),
    Mutant("contract: host of the lesson", LTI + "launches.py", "if not policy.subprocessor_hosts.issuperset(place.hosts):", "if False:"),
    Mutant("message: version", LTI + "claims.py", 'if claims[LTI + "version"] != "1.3.0":', "if False:"),
    Mutant("message: type", LTI + "messages.py", "        if handler is None:\n", "        handler = handler or self._handlers[\"LtiResourceLinkRequest\"]\n        if handler is None:\n"),
    Mutant("message: required claims", LTI + "claims.py", "    if missing:\n", "    if False:\n"),
    Mutant("message: anonymous", LTI + "claims.py", 'if "sub" not in claims:', "if False:"),
    Mutant("message: ids", LTI + "claims.py", "if not isinstance(found, str) or not 0 < len(found) <= LONGEST_ID or not found.isascii()", "if not isinstance(found, str) or not found.isascii()"),
    Mutant("message: roles", LTI + "claims.py", "if not isinstance(roles, list) or len(roles) > MOST_ROLES", "if not isinstance(roles, (list, str)) or len(roles) > 10_000"),
    Mutant("message: target link", LTI + "claims.py", "if not (target == tool_origin or target.startswith", "if False and not (target == tool_origin or target.startswith"),
    Mutant("message: unexpanded variables", LTI + "claims.py", ' and not str(value).startswith("$")', ""),
    Mutant("roles: context over institution", LTI + "roles.py", "return institution if context is None else context", "return max(institution, context or Role.NONE, key=_RANK.__getitem__)"),
    Mutant("roles: unknown grants nothing", LTI + "roles.py", '_CONTEXT_ROLES.get(role.removeprefix(CONTEXT + "#"), Role.NONE)', '_CONTEXT_ROLES.get(role.removeprefix(CONTEXT + "#"), Role.TEACHER)'),
    Mutant("ticket: once", STEPS, "s.ticket_used_at IS NULL AND ", ""),
    Mutant("ticket: a minute", STEPS, "s.ticket_expires_at > moment", "s.id = s.id"),
    Mutant("session: grant and epoch", STEPS, " AND g.state = 'active' AND g.epoch = s.grant_epoch", ""),
    Mutant("repeated: nothing but what it opens", LTI + "repeated_launches.py", "        raise _ChangesMore(name)", "        return lambda *_, **__: None"),
    Mutant("repeated: resource links alone", LTI + "repeated_launches.py", "if message_type(claims) != RESOURCE_LINK_REQUEST:", "if False:"),
    Mutant("repeated: looked up by ids alone", LTI + "repeated_launches.py", "    return opaque_id(said.get(\"id\")) if", "    return said.get(\"id\") if"),
    Mutant("repeated: what stood still stands", LTI + "store.py", "FROM same WHERE stands", "FROM same"),
    Mutant("repeated: the identity lives", AGAIN, "by_identity AND i.ended_at IS NULL", "by_identity"),
    Mutant("repeated: the membership lives", AGAIN, " AND m.ended_at IS NULL))", "))"),
    Mutant("repeated: not blocked", AGAIN, "    AND NOT launch_blocked(ids);", ";"),
    Mutant("person: one at a time", LTI + "launches.py", "            people.lock_subject(connection, hashed)\n", ""),
    Mutant("collect gate", "lti_server/privacy/collect.py", "if element is None or text is None:", "if text is None:"),
)  # fmt: skip


def survives(mutant: Mutant, copy: Path) -> bool:
    """Whether every test passes with the check away."""
    file = copy / mutant.file
    honest = file.read_text(encoding="utf-8")
    if honest.count(mutant.check) < 1:
        raise SystemExit(f"{mutant.name}: the check is not in {mutant.file} any more; put this mutant right.")
    file.write_text(honest.replace(mutant.check, mutant.instead), encoding="utf-8")
    try:
        return passes(copy, mutant.tests)
    finally:
        file.write_text(honest, encoding="utf-8")


def passes(copy: Path, tests: tuple[str, ...] = TESTS) -> bool:
    """Whether every one of these tests passes in the copy."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", *tests]
    found = subprocess.run(command, cwd=copy, capture_output=True, env=_environment(copy), timeout=600, check=False)
    return found.returncode == 0


def _environment(copy: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}


def main(mutants: Sequence[Mutant] = MUTANTS, honest: tuple[str, ...] = TESTS + IN_CHROMIUM) -> None:
    """Every mutant, or those whose names hold a word of the command line; `honest` must pass before any is tried."""
    wanted = sys.argv[1:]
    chosen = [one for one in mutants if not wanted or any(word in one.name for word in wanted)]
    with ExitStack() as stack, ThreadPoolExecutor(AT_ONCE) as pool:
        copies: SimpleQueue[Path] = SimpleQueue()
        for _ in range(AT_ONCE):
            copies.put(copied(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
        first = copies.get()
        if not passes(first, honest):
            raise SystemExit("The tests fail with every check in its place, so no mutant would tell anything.")
        copies.put(first)

        def tried(mutant: Mutant) -> bool:
            copy = copies.get()
            try:
                return survives(mutant, copy)
            finally:
                copies.put(copy)

        survivors = []
        for mutant, alive in zip(chosen, pool.map(tried, chosen), strict=True):
            print(f"{'SURVIVES' if alive else 'killed  '}  {mutant.name}", flush=True)
            survivors += [mutant.name] if alive else []
    print(f"\n{len(chosen)} mutants, survivors {len(survivors)}: {', '.join(survivors) or 'none'}")
    sys.exit(1 if survivors else 0)


def copied(copy: Path) -> Path:
    """A copy of the tree, to be broken."""
    for name in ("lti_server", "tests"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "conftest.py"):
        shutil.copy(ROOT / file, copy / file)
    return copy


if __name__ == "__main__":
    main()
