"""The NDPA Schedule of Data (v1, Exhibit B: 24 groups, 61 elements), ours for educators, and which field is which."""

from __future__ import annotations

from types import MappingProxyType

_GROUPS = {
    "app_tech_metadata": ("ip_cookies", "other"),
    "app_use_statistics": ("interaction_metadata",),
    "assessment": ("standardized_test_scores", "observation_data", "other"),
    "attendance": ("school_daily", "class"),
    "communications": ("online_communications_captured",),
    "conduct": ("conduct_or_behavioral",),
    "demographics": ("date_of_birth", "place_of_birth", "gender", "ethnicity_or_race", "language", "other"),
    "enrollment": (
        "school_enrollment", "grade_level", "homeroom", "guidance_counselor", "specific_curriculum_programs",
        "year_of_graduation", "other",
    ),
    "parent_contact": ("address", "email", "phone"),
    "parent_id": ("parent_id_number",),
    "parent_name": ("first_and_or_last",),
    "schedule": ("scheduled_courses", "teacher_names"),
    "special_indicator": (
        "english_language_learner", "low_income", "medical_alerts_health", "disability", "iep_or_504",
        "living_situation", "other",
    ),
    "student_contact": ("address", "email", "phone"),
    "student_identifiers": ("local_district_id", "state_id", "app_assigned_id", "app_username", "app_password"),
    "student_name": ("first_and_or_last",),
    "in_app_performance": ("program_performance",),
    "program_membership": ("academic_or_extracurricular",),
    "survey_responses": ("surveys_or_questionnaires",),
    "student_work": ("student_generated_content", "other"),
    "transcript": ("course_grades", "course_data", "course_performance_scores", "other"),
    "transportation": ("bus_assignment", "pickup_dropoff_location", "bus_card_id", "other"),
    "other": ("other",),
    "none": ("no_student_data_collected",),
}  # fmt: skip

ELEMENTS: frozenset[str] = frozenset(f"{group}.{name}" for group, names in _GROUPS.items() for name in names)
EDUCATOR_ELEMENTS: frozenset[str] = frozenset({"name", "identifier", "email"})

NAME = "student_name.first_and_or_last"
LOCAL_ID = "student_identifiers.local_district_id"
STATE_ID = "student_identifiers.state_id"
APP_ID = "student_identifiers.app_assigned_id"
USERNAME = "student_identifiers.app_username"
EMAIL = "student_contact.email"
PHONE = "student_contact.phone"
SCHOOL = "enrollment.school_enrollment"
GRADE = "enrollment.grade_level"
BIRTH_DATE = "demographics.date_of_birth"
GENDER = "demographics.gender"
LANGUAGE = "demographics.language"
ETHNICITY = "demographics.ethnicity_or_race"
PERFORMANCE = "in_app_performance.program_performance"
WORK = "student_work.student_generated_content"
COURSES = "schedule.scheduled_courses"
ADDRESS = "app_tech_metadata.ip_cookies"

# Which field of a launch, a member list or a provider's record is which element (design 6.4). A field that stands
# nowhere here is refused; so is a picture, for everyone, always.
PUPIL_FIELDS = MappingProxyType(
    {
        "name": NAME,
        "given_name": NAME,
        "family_name": NAME,
        "middle_name": NAME,
        "nickname": NAME,
        "sub": APP_ID,
        "user_id": APP_ID,
        "lis.person_sourcedid": LOCAL_ID,
        "lis_person_sourcedid": LOCAL_ID,
        "state_id": STATE_ID,
        "preferred_username": USERNAME,
        "email": EMAIL,
        "phone_number": PHONE,
        "birthdate": BIRTH_DATE,
        "gender": GENDER,
        "ethnicity": ETHNICITY,
        "language": LANGUAGE,
        "school": SCHOOL,
        "grade": GRADE,
    }
)
EDUCATOR_FIELDS = MappingProxyType(
    {
        "name": "name",
        "given_name": "name",
        "family_name": "name",
        "middle_name": "name",
        "nickname": "name",
        "sub": "identifier",
        "user_id": "identifier",
        "lis.person_sourcedid": "identifier",
        "lis_person_sourcedid": "identifier",
        "email": "email",
    }
)
