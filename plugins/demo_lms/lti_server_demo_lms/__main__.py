"""`python -m lti_server_demo_lms` is the command line."""

from lti_server_demo_lms.cli import main

main()
