"""What is installed, what runs, and what is set aside with a reason."""

import logging
import sys
from collections.abc import Collection
from datetime import UTC, datetime
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Any, ClassVar

import pytest

from lti_server.errors import ConfigurationError, InvalidInput, NotFound, ProviderFailed
from lti_server.providers import (
    Capability,
    ConfigField,
    ConfigKind,
    Cursor,
    FieldUse,
    Manifest,
    PersonRole,
    RosterPage,
    standard_fields,
)
from lti_server.providers.connector import Connector
from lti_server.providers.registry import PluginState, Registry, load_registry, look_at_plugins

ROSTER = frozenset({Capability.ROSTER})


def plugin_class(name: str = "chalk", **changes: Any) -> type:
    """A roster plugin; `changes` replace entries of its manifest."""
    entries = {"version": "1.2", "spi_version": (1, 0), "capabilities": ROSTER} | changes

    class Made:
        manifest: ClassVar[Manifest] = Manifest(name=name, **entries)

        def __init__(self, *, config: dict[str, object], transport: object, clock: object) -> None:
            self.config, self.transport, self.clock = config, transport, clock

        def pages(self, since: Cursor | None) -> list[RosterPage]:
            return []

    return Made


class Installed:
    """Entry points that lead to objects of this test, or to nothing that can be imported."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._module = ModuleType("plugins_of_this_test")
        monkeypatch.setitem(sys.modules, self._module.__name__, self._module)
        self.points: list[EntryPoint] = []

    def add(self, name: str, made: object) -> None:
        attribute = f"made_{len(self.points)}"
        setattr(self._module, attribute, made)
        self.points.append(EntryPoint(name, f"plugins_of_this_test:{attribute}", "lti_server.providers"))

    def broken(self, name: str) -> None:
        self.points.append(EntryPoint(name, "no_such_module_anywhere:Plugin", "lti_server.providers"))

    def load(self, enabled: Collection[str] | None = None) -> Registry:
        return load_registry(enabled, discover=lambda: self.points)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Installed:
    return Installed(monkeypatch)


def states(registry: Registry) -> dict[str, str]:
    return {row.name: row.state for row in registry.describe()}


def test_all_installed_run_but_facebook_while_nothing_is_named(installed: Installed) -> None:
    for name in ("chalk", "facebook"):
        installed.add(name, plugin_class(name))
    assert states(installed.load()) == {"chalk": "enabled", "facebook": "disabled"}


def test_only_the_named_ones_run_whatever_their_case(installed: Installed) -> None:
    for name in ("chalk", "facebook"):
        installed.add(name, plugin_class(name))
    assert states(installed.load(["FaceBook"])) == {"chalk": "disabled", "facebook": "enabled"}
    assert states(installed.load([])) == {"chalk": "disabled", "facebook": "disabled"}


def test_the_servers_own_rosters_run_whatever_is_named(installed: Installed) -> None:
    installed.add("lti", plugin_class("lti"))
    assert states(installed.load([])) == {"lti": "enabled"}


def test_a_plugin_that_breaks_is_set_aside_and_the_others_run(
    installed: Installed, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    installed.broken("broken")
    installed.add("chalk", plugin_class())
    registry = installed.load()
    assert states(registry) == {"broken": "quarantined", "chalk": "enabled"}
    assert "broken is set aside" in caplog.text
    with pytest.raises(NotFound, match="does not run"):
        registry.manifest("broken")


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (object(), "not a class"),
        (type("Bare", (), {}), "not a class with a `manifest`"),
        (type("Odd", (), {"manifest": {"name": "chalk"}}), "not a class with a `manifest`"),
        (plugin_class(spi_version=(2, 0)), "made for version 2.0"),
        (plugin_class(spi_version=(0, 9)), "made for version 0.9"),
        (plugin_class(spi_version=(1, 99)), "needs version 1.99"),
        (plugin_class(spi_version="1.0"), "not a pair of numbers"),
        (plugin_class("other"), "named other"),
        (plugin_class("chalk", capabilities=frozenset()), "capabilities is empty"),
        (plugin_class(capabilities=frozenset({Capability.LOGIN})), "authorize, exchange"),
        (plugin_class(hosts=("{base}",)), "no configuration field"),
        (plugin_class(fields={"shoe": FieldUse(pupil="shoe.size")}), "no element of the schedule"),
    ],
)
def test_a_plugin_that_does_not_fit_is_set_aside_with_its_reason(
    installed: Installed, made: object, reason: str
) -> None:
    installed.add("chalk", made)
    (row,) = installed.load().describe()
    assert row.state == PluginState.QUARANTINED
    assert reason in row.reason


def test_an_enabled_plugin_that_cannot_run_stops_the_start_and_all_are_named(installed: Installed) -> None:
    installed.broken("broken")
    with pytest.raises(ConfigurationError) as stopped:
        installed.load(["broken", "absent"])
    assert len(stopped.value.problems) == 2
    assert "no plugin of that name" in stopped.value.problems[0]
    assert "cannot be imported" in stopped.value.problems[1]
    looked_at = look_at_plugins(["broken", "absent"], discover=lambda: installed.points)
    assert states(looked_at) == {"absent": "missing", "broken": "quarantined"}
    with pytest.raises(NotFound):
        looked_at.manifest("absent")


def test_two_plugins_of_one_name_stop_the_start_even_if_their_case_differs(installed: Installed) -> None:
    installed.add("chalk", plugin_class())
    installed.add("Chalk", plugin_class("Chalk"))
    with pytest.raises(ConfigurationError, match="share the name chalk"):
        installed.load([])


def test_a_platform_may_have_signals_alone(installed: Installed) -> None:
    made = plugin_class("demo_lms", capabilities=frozenset({Capability.SIGNALS}))
    made.parse = lambda self, request: []  # type: ignore[attr-defined]  # the capability under test
    installed.add("demo_lms", made)
    registry = installed.load()
    assert [plugin.name for plugin in registry.enabled(Capability.SIGNALS)] == ["demo_lms"]
    assert registry.enabled(Capability.ROSTER) == []


def test_the_rows_say_name_version_interface_state_and_capabilities(installed: Installed) -> None:
    installed.add("chalk", plugin_class())
    (row,) = installed.load().describe()
    assert (row.name, row.version, row.spi_version, row.capabilities, row.reason) == (
        "chalk", "1.2", "1.0", ["roster"], "",
    )  # fmt: skip


class Noon:
    def now(self) -> datetime:
        return datetime(2026, 9, 1, 12, 0, tzinfo=UTC)


def connector(registry: Registry) -> Connector:
    return Connector(registry, transport=lambda hosts: hosts, clock=Noon())  # type: ignore[arg-type, return-value]  # only looked at


def test_a_plugin_gets_its_checked_configuration_and_a_transport_for_its_hosts(installed: Installed) -> None:
    config = (
        ConfigField(name="base_url", kind=ConfigKind.URL),
        ConfigField(name="size", kind=ConfigKind.INTEGER, default=50),
    )
    installed.add("chalk", plugin_class(config=config, hosts=("{base_url}", "auth.example")))
    made: Any = connector(installed.load()).roster("chalk", {"base_url": "https://S.example:8443/api"})
    assert made.config == {"base_url": "https://S.example:8443/api", "size": 50}
    assert made.transport == {"s.example:8443", "auth.example"}


def test_a_wrong_configuration_is_told_field_by_field_without_values(installed: Installed) -> None:
    config = (
        ConfigField(name="base_url", kind=ConfigKind.URL),
        ConfigField(name="secret", secret=True),
        ConfigField(name="mode", kind=ConfigKind.CHOICE, choices=("a", "b")),
        ConfigField(name="on", kind=ConfigKind.BOOLEAN, required=False),
    )
    installed.add("chalk", plugin_class(config=config))
    with pytest.raises(InvalidInput) as refused:
        connector(installed.load()).roster("chalk", {"base_url": "hunter2", "mode": "hunter2", "on": 1, "more": 2})
    told = str(refused.value.public)
    for name in ("base_url", "secret", "mode", "on", "more"):
        assert name in told
    assert "hunter2" not in told


def test_a_capability_that_a_plugin_lacks_is_not_there(installed: Installed) -> None:
    installed.add("chalk", plugin_class())
    installed.add("facebook", plugin_class("facebook"))
    ready = connector(installed.load())
    for name, call in [("chalk", ready.login), ("facebook", ready.roster), ("absent", ready.roster)]:
        with pytest.raises(NotFound):
            call(name, {})


def test_a_plugin_that_breaks_while_it_is_built_is_told_without_its_text(installed: Installed) -> None:
    def explode(self: object, **_given: object) -> None:
        raise KeyError("Ada Lovelace")

    made = plugin_class()
    made.__init__ = explode  # type: ignore[misc]  # the fault under test
    installed.add("chalk", made)
    with pytest.raises(ProviderFailed) as failed:
        connector(installed.load()).roster("chalk", {})
    assert "Ada" not in str(failed.value) + failed.value.internal
    assert failed.value.__cause__ is None


def test_a_field_has_the_element_of_the_role_and_an_unknown_role_is_judged_as_a_pupil() -> None:
    manifest = Manifest(
        name="chalk", version="1", spi_version=(1, 0), capabilities=ROSTER, fields=standard_fields("email", "grades")
    )
    assert manifest.element("email", PersonRole.PUPIL) == "student_contact.email"
    assert manifest.element("email", PersonRole.OTHER) == "student_contact.email"
    assert manifest.element("email", PersonRole.STAFF) == "educator.email"
    assert manifest.element("email", PersonRole.GUARDIAN) == "parent_contact.email"
    assert manifest.element("grades", PersonRole.TEACHER) is None
    assert manifest.element("shoe_size", PersonRole.PUPIL) is None
