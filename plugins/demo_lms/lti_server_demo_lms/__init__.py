"""A learning management system in one process: an honest LTI 1.3 platform to try any tool on.

The public names are those of this module; nothing runs when it is imported.
"""

from lti_server_demo_lms.app import create_app, registration
from lti_server_demo_lms.faults import Answer, Faults
from lti_server_demo_lms.parts import DemoLmsConfig
from lti_server_demo_lms.serving import listen, make_server, running
from lti_server_demo_lms.world import Course, District, Enrolment, Person, ResourceLink, Role, World, sample_world

__all__ = [
    "Answer",
    "Course",
    "DemoLmsConfig",
    "District",
    "Enrolment",
    "Faults",
    "Person",
    "ResourceLink",
    "Role",
    "World",
    "create_app",
    "listen",
    "make_server",
    "registration",
    "running",
    "sample_world",
]
