"""The command line `lti-server` (design 6.2): one module a noun, loaded when it is called."""

from __future__ import annotations

import importlib
import json
import signal
import sys
from collections.abc import Sequence
from typing import Any

import click

from lti_server import __version__
from lti_server.errors import InvalidInput, LtiServerError

# Command to module; the module has a click command of the same name.
COMMANDS = {
    "admin": "admin",
    "age": "age",
    "audit": "audit",
    "backup": "backup",
    "contract": "contract",
    "db": "db",
    "demo": "demo",
    "disposition": "disposition",
    "district": "district",
    "doctor": "doctor",
    "grant": "grant",
    "incident": "incident",
    "keys": "keys",
    "lesson": "lesson",
    "new-provider": "plugins",
    "person": "person",
    "platform": "platform",
    "plugins": "plugins",
    "policy": "policy",
    "provider": "provider",
    "retention": "retention",
    "roster": "roster",
    "section": "section",
    "serve": "serve",
    "session": "session",
    "signals": "signals",
    "signup": "signup",
    "worker": "serve",
}


class Commands(click.Group):
    """Loads a command's module when it is called, so that none waits for another's."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"lti_server.cli.{COMMANDS[cmd_name]}")
        found = getattr(module, cmd_name.replace("-", "_"))
        assert isinstance(found, click.Command)
        return found


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="lti-server")
def commands() -> None:
    """Stands between lessons and schools."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command: exit 0 done, 1 refused or failed (a problem document with --json), 2 wrong usage."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    _end_with_exit_hooks()
    try:
        commands.main(given, prog_name="lti-server", standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        if "--json" in given:
            _tell(InvalidInput(error.format_message()), as_json=True)
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except LtiServerError as error:
        _tell(error, as_json="--json" in given)
        sys.exit(1)
    except Exception as error:
        if "--debug" in given:
            raise
        _tell(_unexpected(error), as_json="--json" in given)
        sys.exit(1)


def _end_with_exit_hooks() -> None:
    """A signal ends the process as `exit` does, so that the last user of the bundled PostgreSQL stops it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # `nohup` has it ignored
        signal.signal(signal.SIGHUP, lambda *_: sys.exit(128 + signal.SIGHUP))


def _unexpected(error: Exception) -> LtiServerError:
    """Whatever the text of an unexpected failure holds, it is not shown: it may be data."""
    return LtiServerError(
        f"This is a fault of the program ({type(error).__name__}). Run the command again with --debug to see where."
    )


def _tell(error: LtiServerError, *, as_json: bool) -> None:
    if as_json:
        from lti_server.web.problems import problem

        click.echo(json.dumps(problem(error)))
        return
    click.echo(f"{error.title}: {error.detail}" if error.detail else error.title, err=True)
    # Where both are there, they say the same: `problems` for a person, `errors` for a program.
    listed: Any = error.public.get("problems", error.public.get("errors"))
    for item in listed if isinstance(listed, list) else ():
        text = f"{item['pointer']}: {item['message']}" if isinstance(item, dict) else str(item)
        click.echo(f"  - {text}", err=True)
