"""What must stand in no tracked file: paths of one machine, hosts of package registries, secrets."""

from __future__ import annotations

import re

from tests.guards.repository import shown, texts

# Spelt so that this file passes its own test.
REGISTRIES = (*(f"{host}.org" for host in ("pypi", "pythonhosted", "npmjs", "debian")), "yarnpkg" + ".com")
MACHINE = re.compile(r"(?<![\w.-])/(?:r[o]ot|h[o]me/[a-z]\w*|U[s]ers/\w+|w[o]rk/\w+|t[m]p/\w+)(?:/|\b)")
PRIVATE_KEY = re.compile(r"-----BEGIN (?:RSA |EC |)PRIVATE [K]EY-----\s+[A-Za-z0-9+/]{40}")


def test_no_file_names_a_package_registry() -> None:
    assert not [shown(path) for path, text in texts() for host in REGISTRIES if host in text]


def test_no_file_names_a_path_of_one_machine() -> None:
    found = [f"{shown(path)}: {match.group()}" for path, text in texts() for match in MACHINE.finditer(text)]
    assert not found


def test_no_private_key_is_tracked() -> None:
    assert not [shown(path) for path, text in texts() if PRIVATE_KEY.search(text)]
