"""Sphinx: Markdown by MyST, the furo theme; nothing is fetched while it builds."""

from lti_server import __version__

project = "lti-server"
author = "The lti-server authors"
project_copyright = "The lti-server authors"
release = version = __version__
extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"lti-server {release}"
html_show_sphinx = False
nitpicky = True
suppress_warnings: list[str] = []
