"""A learning management system in one process: an honest LTI 1.3 platform to try any tool on.

The public names are those of this module; nothing runs when it is imported.
"""

from lti_server_demo_lms.app import create_app, registration
from lti_server_demo_lms.faults import Answer, Faults, PageFaults
from lti_server_demo_lms.parts import DemoLmsConfig
from lti_server_demo_lms.profiles import LINK_FORMS, PROFILES, LinkForm, Profile, Refusal
from lti_server_demo_lms.serving import listen, make_server, running
from lti_server_demo_lms.world import (
    Course,
    District,
    Enrolment,
    Person,
    ResourceLink,
    Role,
    Section,
    World,
    generated_world,
    sample_world,
)

__all__ = [
    "LINK_FORMS",
    "PROFILES",
    "Answer",
    "Course",
    "DemoLmsConfig",
    "District",
    "Enrolment",
    "Faults",
    "LinkForm",
    "PageFaults",
    "Person",
    "Profile",
    "Refusal",
    "ResourceLink",
    "Role",
    "Section",
    "World",
    "create_app",
    "generated_world",
    "listen",
    "make_server",
    "registration",
    "running",
    "sample_world",
]
