"""The documents say what the code does: every setting, problem, refusal, command, dependency and folder."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from dataclasses import fields

from lti_server import cli, errors
from lti_server.accounts.sign_in_reasons import REASONS as SIGN_IN_REASONS
from lti_server.lti.reasons import BEFORE_THE_DISTRICT, REASONS
from lti_server.settings import PREFIX, Settings
from tests.commands import every_command
from tests.guards.repository import ROOT, shown, sources, tracked, tree

DOCS = ROOT / "docs"


def test_every_setting_is_documented_and_no_other() -> None:
    wanted = {f"{PREFIX}{field.name.upper()}" for field in fields(Settings)}
    assert set(re.findall(rf"^\| `({PREFIX}\w+)`", _page("reference/settings"), re.MULTILINE)) == wanted


def test_every_problem_is_documented_and_no_other() -> None:
    families = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    wanted = {kind.slug for kind in families if issubclass(kind, errors.LtiServerError)}
    assert set(re.findall(r"^\| `([a-z-]+)` \|", _page("reference/problems"), re.MULTILINE)) == wanted


def test_every_reason_to_refuse_a_launch_is_documented_and_no_other() -> None:
    documented = set(re.findall(r"^\| `([a-z-]+)` \|", _page("reference/launch-refusals"), re.MULTILINE))
    assert documented == set(_reasons())


def test_every_reason_to_refuse_a_launch_has_a_sentence_for_an_administrator_and_no_other() -> None:
    assert set(REASONS) | BEFORE_THE_DISTRICT == set(_reasons())
    assert not set(REASONS) & BEFORE_THE_DISTRICT


def test_every_reason_to_refuse_a_sign_in_is_documented_and_no_other() -> None:
    documented = re.findall(r"^\| `([a-z-]+)` \|", _page("reference/sign-in-refusals"), re.MULTILINE)
    assert set(documented) == set(SIGN_IN_REASONS)


def test_every_command_is_documented_and_no_other() -> None:
    said = re.findall(r"^`lti-server ([^`]*)`$", _page("reference/command-line"), re.MULTILINE)
    documented = {re.split(r" (?=[\[\-A-Z])", line)[0] for line in said}
    assert documented == {" ".join(path) for path, _ in every_command(cli.commands)}


def test_every_option_of_a_command_that_is_documented_exists() -> None:
    commands = {" ".join(path): command for path, command in every_command(cli.commands)}
    for line in re.findall(r"^`lti-server ([^`]*)`$", _page("reference/command-line"), re.MULTILINE):
        name = re.split(r" (?=[\[\-A-Z])", line)[0]
        options = {option for parameter in commands[name].params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", line)) <= options, name


def test_every_dependency_has_its_reason_and_no_other_has_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    listed = project["project"]["dependencies"] + [
        one for group in project["dependency-groups"].values() for one in group
    ]
    names = {re.split(r"[\[<>=~! ]", one)[0].lower() for one in listed}
    shared = {"cryptography"}
    assert set(re.findall(r"^\| ([a-z0-9-]+) \|", _page("adr/0001-dependencies"), re.MULTILINE)) == names | shared


def test_the_server_imports_each_of_its_dependencies() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    names = {re.split(r"[\[<>=~! ]", one)[0].lower() for one in project["project"]["dependencies"]}
    wanted = {"yaml" if name == "pyyaml" else name.replace("-", "_") for name in names}
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources("lti_server"))
    assert {name for name in wanted if not re.search(rf"^\s*(?:from|import) {name}\b", code, re.MULTILINE)} == set()


def test_every_folder_has_its_line_and_no_other_has_one() -> None:
    tops = ("lti_server", "plugins", "tests", "docs", "requirements", "tools")
    folders = {parent for path in tracked() for parent in path.relative_to(ROOT).parents}
    wanted = {f"{folder.as_posix()}/" for folder in folders if folder.parts and folder.parts[0] in tops}
    wanted = {name for name in wanted if name.count("/") <= 2}
    assert set(re.findall(r"^\| `([\w/.-]+/)` \|", _page("where-things-live"), re.MULTILINE)) == wanted


def test_the_change_log_has_the_present_version_or_what_is_unreleased() -> None:
    assert re.search(
        r"^## \[(?:Unreleased|\d+\.\d+\.\d+)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )


def test_every_link_between_documents_leads_somewhere() -> None:
    broken = []
    for page in [path for path in tracked() if path.suffix == ".md"]:
        for target in re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", page.read_text(encoding="utf-8")):
            broken += [] if (page.parent / target).exists() else [f"{shown(page)} -> {target}"]
    assert not broken


def test_the_readme_is_under_a_page() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 60


def _page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text(encoding="utf-8")


def _reasons() -> Iterator[str]:
    """The first argument of each `LaunchRejected(…)` in the code."""
    for path in sources("lti_server"):
        for node in ast.walk(tree(path)):
            named = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "LaunchRejected"
            if named and isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                yield str(node.args[0].value)


NAMED_TEST = r"`((?:tests|plugins)/[\w/]+\.py)(?:::(\w+))?`"


def test_every_claim_of_the_conformance_statement_names_a_test_by_its_function() -> None:
    rows = re.findall(r"^\| (?!Section \|)[^-\n].*$", _page("reference/conformance"), re.MULTILINE)
    assert rows
    named = {row: [function for _, function in re.findall(NAMED_TEST, row)] for row in rows}
    assert not [row for row, functions in named.items() if not functions or not all(functions)]


def test_every_test_that_the_conformance_statement_names_is_there_and_runs() -> None:
    for path, function in re.findall(NAMED_TEST, _page("reference/conformance")):
        tests = {node.name: node for node in ast.walk(tree(ROOT / path)) if isinstance(node, ast.FunctionDef)}
        named = [tests[function]] if function else [node for name, node in tests.items() if name.startswith("test_")]
        assert named, path
        for node in named:
            assert not re.search(r"pytest\.(mark\.)?(skip|skipif|xfail)\b", ast.unparse(node)), f"{path}::{node.name}"
