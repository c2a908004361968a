"""`lti-server-demo-lms`: the platform on loopback, for any tool."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import click

from lti_server_demo_lms.app import create_app, registration
from lti_server_demo_lms.parts import DemoLmsConfig
from lti_server_demo_lms.profiles import PROFILES
from lti_server_demo_lms.serving import listen, make_server
from lti_server_demo_lms.world import LESSONS, generated_world, sample_world


@click.command()
@click.option("--port", default=8001, show_default=True, type=click.IntRange(1, 65_535))
@click.option("--tool-url", default="http://127.0.0.1:8000", show_default=True, help="The tool's address.")
@click.option("--data-dir", default="demo-lms", show_default=True, type=click.Path(path_type=Path, file_okay=False))
@click.option("--lesson", "lessons", multiple=True, metavar="ID=TITLE", help="The links of every course.")
@click.option("--frame/--no-frame", default=True, show_default=True, help="Lessons in a frame, or in new windows.")
@click.option(
    "--profile",
    default="plain",
    show_default=True,
    type=click.Choice(list(PROFILES)),
    help="Whose platform it does as.",
)
@click.option(
    "--assistants",
    default=0,
    show_default=True,
    type=click.IntRange(0, 30),
    help="Non-editing teachers of each course.",
)
@click.option("--members", default=0, type=click.IntRange(0, 50_000), help="One course of this many pupils instead.")
def main(
    port: int,
    tool_url: str,
    data_dir: Path,
    lessons: tuple[str, ...],
    frame: bool,
    profile: str,
    assistants: int,
    members: int,
) -> None:
    """Run the demonstration platform on 127.0.0.1."""
    chosen = [(name, title or name) for name, _, title in (one.partition("=") for one in lessons)] or LESSONS
    config = DemoLmsConfig(
        base_url=f"http://127.0.0.1:{port}",
        tool_url=tool_url.rstrip("/"),
        data_dir=data_dir,
        world=generated_world(members, chosen, assistants=assistants)
        if members
        else sample_world(chosen, assistants=assistants),
        frame=frame,
        profile=PROFILES[profile],
    )
    _serve(config, port)


def _serve(config: DemoLmsConfig, port: int) -> None:
    try:
        listener = listen("127.0.0.1", port)
    except OSError as error:
        raise click.ClickException(
            f"Port {port} cannot be used ({error.strerror}). Choose another with --port."
        ) from error
    app = create_app(config)
    server = make_server(app, listener)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    click.echo(f"Demo LMS: {config.base_url}")
    for district in config.world.districts:
        click.echo(f"\n{district.name}: register this in the tool")
        for name, value in registration(app, district.slug).items():
            click.echo(f"  {name}: {value}")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        click.echo("Stopped.")
