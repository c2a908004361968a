"""How each vendor's platform differs from the plain one: behaviour as data, which the views read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

GRADING = frozenset({"FullyGraded", "Pending", "PendingManual", "Failed", "NotReady"})
LTI_VARIABLES = frozenset({"User.id", "Person.sourcedId", "Context.id", "CourseSection.sourcedId", "ResourceLink.id"})
HISTORY = "ResourceLink.id.history"
CONTEXT_HISTORY = "Context.id.history"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A status and the text beside it."""

    status: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkForm:
    """How a `Link` header is written; RFC 8288 allows all of these but the curly quotes and the entities."""

    # `{url}` is the address.
    text: str = '<{url}>; rel="next"'
    # `&` comes as `&amp;`, as from a template meant for HTML.
    entities: bool = False
    # A page is named by a word in mixed case, so that a tool that lowers the case of the header is refused.
    bookmark: bool = False


LINK_FORMS: Mapping[str, LinkForm] = MappingProxyType(
    {
        "quoted": LinkForm(),
        "unquoted": LinkForm(text="<{url}>; rel=next"),
        "extra": LinkForm(text='<{url}>; title="the next; of <many>, all"; type=json; rel="next"'),
        "several": LinkForm(text='<{url}>; rel="next last"'),
        "curly": LinkForm(text="<{url}>; rel=“next”", entities=True),
        "mixed": LinkForm(text='<{url}>; Rel="Next"', bookmark=True),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformStorage:
    """What tools in a frame may leave with the platform (LTI postMessage Storage 0.1)."""

    # The frame that keeps it: `_parent` is the page itself, which else knows nothing but where the storage is.
    frame: str = "_parent"
    # Names of messages begin with these; the second is that of the first drafts.
    prefixes: tuple[str, ...] = ("lti.", "org.imsglobal.lti.")
    # Whether `capabilities` is answered; whether anything is: mobile apps offer storage and answer nothing.
    capabilities: bool = True
    mute: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One vendor's platform; the defaults are the plain one, which does what the specifications say.

    Forms of ids are for `str.format`, of `number` (from 1), `hash` (40 digits), `uuid`, and `id` (the world's own);
    that of contexts of `id` and the district's `slug`.
    """

    name: str
    # What the platform calls itself at launch; Open edX does not.
    product_family: str | None = "demo-lms"
    # Open edX has its token endpoint at a path that tells it apart.
    token_path: str = "token"  # noqa: S105  a path

    # Canvas, Blackboard and Schoology have one issuer for every school; None is an issuer for each district.
    issuer: str | None = None
    # Canvas and Moodle make ids of digits and letters; Blackboard has one id of the tool for every school.
    client_id: str = "{id}"
    # Blackboard has one authorization, token and key set address for every school, and a token is good at each of them.
    one_endpoint: bool = False
    # Canvas writes its client ids as JSON numbers where no JWT is concerned.
    client_id_is_number: bool = False
    # Canvas has a number, a colon and a hash; Moodle a small number; Blackboard a UUID that alone tells schools apart.
    deployment_id: str = "{id}"
    # D2L has the tenant's GUID, a low line and a number.
    person_id: str = "{id}"
    # Open edX has its course keys, with colon and plus signs.
    context_id: str = "{id}"

    # The client id is optional at login, and some leave it out.
    login_client_id: bool = True
    # The deployment is optional at login: Canvas called it `deployment_id`; None leaves it out.
    login_deployment: str | None = "lti_deployment_id"
    # Canvas adds its environment.
    login_extra: tuple[tuple[str, str], ...] = ()
    # Named at the login of a launch in a frame (`lti_storage_target`); None: there is none.
    storage: PlatformStorage | None = None
    # D2L says from when the launch holds (nbf).
    nbf: bool = False
    # Names of an LTI 1.1 time, as `lti1p1.user_id` at launch and `lti11_legacy_user_id` of a member.
    legacy_user_id: bool = False
    # Variables that are expanded in custom parameters; any other stays as it was written.
    variables: frozenset[str] = LTI_VARIABLES | {HISTORY, CONTEXT_HISTORY}
    # D2L's samples carry a variable that nobody expanded.
    unasked_custom: tuple[tuple[str, str], ...] = ()
    # D2L's samples carry an empty e-mail address.
    empty_email: bool = False

    # D2L wants one audience of assertions for all its tenants, which is not its token URL.
    token_audience: str | None = None
    # Moodle takes any audience.
    checks_audience: bool = True
    # Moodle takes an assertion twice.
    checks_jti: bool = True
    # Moodle reads line items for `lineitem.readonly` alone; elsewhere `lineitem` includes it.
    readonly_explicit: bool = False
    # Moodle answers 403 to a call without a User-Agent.
    needs_user_agent: bool = False

    # How a data privacy launch is called: LTI libraries know the first name, and the other messages' names suggest the
    # second. None: there is none.
    privacy_message: Literal["DataPrivacyLaunchRequest", "LtiDataPrivacyLaunchRequest"] | None = (
        "DataPrivacyLaunchRequest"
    )

    # Canvas and D2L tell of what happens by notices (PNS 1.0), which a tool asks for.
    notices: bool = False
    # How a tool learns what a course was copied from: `notice`; `launch`, by `origin_contexts` beside the context; or
    # `none`, where only the variables of histories tell it (Moodle: not even those).
    tells_of_copies: Literal["notice", "launch", "none"] = "none"
    # What becomes of custom parameters and of the address of a copied link. The combinations are the demo's own.
    copies_custom: Literal["kept", "dropped", "unexpanded"] = "kept"
    copies_target: bool = True

    # Canvas gives at most 50 members a page, Schoology 100; None is the configuration's page size.
    members_page: int | None = None
    # Moodle and Open edX send everything in one page unless `limit` is sent, and then as many as it says.
    pages_unasked: bool = True
    # Open edX refuses a course of more people than this in one page (the number and status are the demo's own).
    most_unpaged: int | None = None
    # How the next page of members is linked.
    members_link: LinkForm = field(default_factory=LinkForm)
    # How the next page of line items and results is linked: Moodle has curly quotes and `&amp;`.
    grades_link: LinkForm = field(default_factory=LinkForm)
    # Moodle's next link of members forgets which role was asked for.
    next_drops: frozenset[str] = frozenset()

    # Moodle's members have short role names.
    short_roles: bool = False
    # Moodle's non-editing teachers are Instructor at launch and Learner in the member list.
    assistants_are_learners: bool = False
    # In Moodle those who left, or are suspended, are not in the list; elsewhere a suspended member is Inactive.
    leavers_vanish: bool = False
    # The last page links to what has changed since (NRPS 2.0, 2.4.3), with Deleted members.
    differences: bool = False
    # D2L lists only who has launched the tool, unless a switch is on.
    only_launched: bool = False
    # Canvas takes the course's own id as `rlid`.
    rlid_context: bool = False
    # Canvas forgets `role` where `rlid` is there.
    rlid_beats_role: bool = False

    # Moodle's addresses of line items carry a query, which is part of the name.
    line_item_query: str = ""
    # `single`: `lineitem` is in the launch where the link has one line item, not several (Moodle). `graded`: where the
    # link has a column of the platform's own (Blackboard).
    line_item_claim: Literal["single", "graded"] = "single"
    # Blackboard lists the columns that the tool made, not its own.
    lists_own_columns: bool = True
    # Blackboard leaves comments out of results that are asked for one person.
    filtered_results_have_comments: bool = True
    # Blackboard makes line ends of a comment into `<br/>`.
    line_ends_are_breaks: bool = False

    # Moodle compares whole seconds; Canvas and Open edX instants.
    score_clock: Literal["second", "instant"] = "second"
    # A score from before the kept one: Moodle 409, Canvas 400.
    older_score: Refusal | None = Refusal(409, "A score of a later second is here already.")
    # A score of the same time: refused by Moodle and Open edX, taken by Canvas (None).
    equal_score: Refusal | None = Refusal(409, "A score of the same second is here already.")
    # scoreGiven without scoreMaximum: Canvas 422; Moodle takes `default_maximum` for it (None).
    no_maximum: Refusal | None = Refusal(400, "scoreGiven needs scoreMaximum.")
    # Moodle takes 1 for a maximum that was not sent.
    default_maximum: float = 1
    # Canvas takes a score for these alone; others are answered as taken, and forgotten.
    counted: frozenset[str] = GRADING
    # Moodle keeps scoreGiven for these alone.
    keeps_given: frozenset[str] = GRADING
    # userId is nobody in this district. Moodle 400, Blackboard 400 "User could not be found".
    unknown_user: Refusal = Refusal(404, "userId is nobody in this course.")
    # userId is somebody of another course. Moodle 400, D2L 403.
    outsider: Refusal = Refusal(404, "userId is nobody in this course.")
    # userId is somebody without grades, such as a teacher. D2L 422.
    not_gradable: Refusal = Refusal(422, "This person has no grades here.")


PLAIN = Profile(
    name="plain", line_item_query="type_id=2", storage=PlatformStorage(), notices=True, tells_of_copies="launch"
)

CANVAS = Profile(
    name="canvas",
    product_family="canvas",
    issuer="https://canvas.instructure.com",
    client_id="1000000000{number:04}",
    client_id_is_number=True,
    deployment_id="{number}:{hash}",
    login_deployment="deployment_id",
    login_extra=(("canvas_environment", "prod"),),
    storage=PlatformStorage(frame="post_message_forwarding"),
    legacy_user_id=True,
    notices=True,
    tells_of_copies="notice",
    copies_custom="dropped",
    copies_target=False,
    variables=LTI_VARIABLES
    | {HISTORY, CONTEXT_HISTORY, "Canvas.course.id", "Canvas.course.sectionIds", "com.instructure.User.sectionNames"},
    members_page=50,
    rlid_context=True,
    rlid_beats_role=True,
    score_clock="instant",
    older_score=Refusal(400, "The timestamp is before that of the last score."),
    equal_score=None,
    no_maximum=Refusal(422, "scoreGiven came without scoreMaximum."),
    counted=frozenset({"FullyGraded", "PendingManual"}),
    unknown_user=Refusal(422, "There is no such user in the course."),
    outsider=Refusal(422, "There is no such user in the course."),
    not_gradable=Refusal(422, "The user is no student of the course."),
)

MOODLE = Profile(
    name="moodle",
    product_family="moodle",
    client_id="{hash:.15}",
    deployment_id="{number}",
    variables=LTI_VARIABLES,
    checks_audience=False,
    checks_jti=False,
    readonly_explicit=True,
    needs_user_agent=True,
    pages_unasked=False,
    grades_link=LINK_FORMS["curly"],
    next_drops=frozenset({"role"}),
    short_roles=True,
    assistants_are_learners=True,
    leavers_vanish=True,
    line_item_query="type_id=2",
    no_maximum=None,
    keeps_given=frozenset({"FullyGraded"}),
    unknown_user=Refusal(400, "The user is unknown."),
    outsider=Refusal(400, "The user is not in the course."),
    not_gradable=Refusal(400, "The user cannot be graded."),
)

BLACKBOARD = Profile(
    name="blackboard",
    product_family="BlackboardLearn",
    issuer="https://blackboard.com",
    one_endpoint=True,
    client_id="5f8b1f0c-64a1-4f36-9a52-2f7f1f7f3c11",
    deployment_id="{uuid}",
    storage=PlatformStorage(frame="lti_storage_frame", prefixes=("lti.",)),
    line_item_claim="graded",
    lists_own_columns=False,
    filtered_results_have_comments=False,
    line_ends_are_breaks=True,
    unknown_user=Refusal(400, "User could not be found"),
    outsider=Refusal(400, "User could not be found"),
)

D2L = Profile(
    name="d2l",
    product_family="desire2learn",
    client_id="{uuid}",
    deployment_id="{uuid}",
    person_id="{uuid}_{number}",
    storage=PlatformStorage(prefixes=("lti.",), capabilities=False),
    nbf=True,
    notices=True,
    tells_of_copies="notice",
    copies_custom="unexpanded",
    copies_target=False,
    unasked_custom=(("user_id", "$User.Id"),),
    empty_email=True,
    token_audience="https://api.brightspace.com/auth/token",  # noqa: S106  an address
    only_launched=True,
    unknown_user=Refusal(404, "The user is not known."),
    outsider=Refusal(403, "The user has no enrolment here."),
    not_gradable=Refusal(422, "The user's role cannot be graded."),
)

SCHOOLOGY = Profile(
    name="schoology",
    product_family="schoology",
    issuer="https://schoology.schoology.com",
    client_id="{number:010}",
    deployment_id="{number:09}-{hash:.8}",
    members_page=100,
)

SAKAI = Profile(name="sakai", product_family="sakai", client_id="{uuid}", deployment_id="{number}")

OPENEDX = Profile(
    name="openedx",
    product_family=None,
    token_path="api/lti_consumer/v1/token",  # noqa: S106  a path
    client_id="{uuid}",
    deployment_id="{number}",
    context_id="course-v1:{slug}+{id}+2026",
    pages_unasked=False,
    most_unpaged=1_000,
    score_clock="instant",
    equal_score=Refusal(400, "A score already exists for this timestamp."),
    older_score=Refusal(400, "A score already exists for a later timestamp."),
)

PROFILES: Mapping[str, Profile] = MappingProxyType(
    {one.name: one for one in (PLAIN, CANVAS, MOODLE, BLACKBOARD, D2L, SCHOOLOGY, SAKAI, OPENEDX)}
)
