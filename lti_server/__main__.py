"""`python -m lti_server` is the command line."""

from lti_server.cli import main

main()
