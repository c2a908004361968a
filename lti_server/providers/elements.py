"""The element ids that a field can stand for: the NDPA Schedule of Data, and our own for educators."""

from __future__ import annotations

from typing import Final

_GROUPS: Final = {
    "app_tech_metadata": "ip_cookies other",
    "app_use_statistics": "interaction_metadata",
    "assessment": "standardized_test_scores observation_data other",
    "attendance": "school_daily class",
    "communications": "online_communications_captured",
    "conduct": "conduct_or_behavioral",
    "demographics": "date_of_birth place_of_birth gender ethnicity_or_race language other",
    "enrollment": "school_enrollment grade_level homeroom guidance_counselor specific_curriculum_programs "
    "year_of_graduation other",
    "parent_contact": "address email phone",
    "parent_id": "parent_id_number",
    "parent_name": "first_and_or_last",
    "schedule": "scheduled_courses teacher_names",
    "special_indicator": "english_language_learner low_income medical_alerts_health disability iep_or_504 "
    "living_situation other",
    "student_contact": "address email phone",
    "student_identifiers": "local_district_id state_id app_assigned_id app_username app_password",
    "student_name": "first_and_or_last",
    "in_app_performance": "program_performance",
    "program_membership": "academic_or_extracurricular",
    "survey_responses": "surveys_or_questionnaires",
    "student_work": "student_generated_content other",
    "transcript": "course_grades course_data course_performance_scores other",
    "transportation": "bus_assignment pickup_dropoff_location bus_card_id other",
    "other": "other",
    "none": "no_student_data_collected",
}

STUDENT_ELEMENTS: Final = frozenset(
    f"{group}.{element}" for group, elements in _GROUPS.items() for element in elements.split()
)
"""NDPA v1 Exhibit B; ids of the form `group.element`."""

EDUCATOR_ELEMENTS: Final = frozenset({"educator.name", "educator.identifier", "educator.email"})
"""Exhibit B has no row for educators; a contract lists these under `educator_elements`."""

ELEMENTS: Final = STUDENT_ELEMENTS | EDUCATOR_ELEMENTS
