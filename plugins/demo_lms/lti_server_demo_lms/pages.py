"""What people look at: districts, signing in, courses, links in a frame, and the gradebook."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response

from lti_server_demo_lms.copying import copy_course
from lti_server_demo_lms.parts import Parts
from lti_server_demo_lms.world import Course, District, Enrolment, Person, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One pupil's line of the gradebook; `scores` stand as the tool sent them, None where there is none."""

    pupil: Person
    scores: list[dict[str, Any] | None]


def blueprint(parts: Parts) -> Blueprint:
    """All pages but the steps of a launch."""
    pages = Blueprint("pages", __name__)
    _add_doors(pages, parts)
    _add_district(pages, parts)
    _add_link(pages, parts)

    @pages.get("/<slug>/courses/<course_id>")
    def course(slug: str, course_id: str) -> str | Response:
        district, here = parts.place(slug, course_id)
        seat = _seat(district, here)
        if seat is None:
            return redirect(url_for("pages.district", slug=slug))
        teaches = seat.role.teaches
        return render_template("course.html", district=district, course=here, person=seat.person, teaches=teaches)

    @pages.get("/<slug>/courses/<course_id>/gradebook")
    def gradebook(slug: str, course_id: str) -> str | Response:
        district, here = parts.place(slug, course_id)
        seat = _seat(district, here)
        if seat is None:
            return redirect(url_for("pages.district", slug=slug))
        columns, rows = _grades(parts, district, here, seat)
        return render_template(
            "gradebook.html", district=district, course=here, person=seat.person, columns=columns, rows=rows,
            teaches=seat.role.teaches,
        )  # fmt: skip

    @pages.post("/<slug>/courses/<course_id>/copy")
    def copy(slug: str, course_id: str) -> Response:
        """A teacher copies their course, as at the end of a school year."""
        district, here = parts.place(slug, course_id)
        seat = _seat(district, here)
        if seat is None or not seat.role.teaches:
            abort(403)
        made = copy_course(parts, district, here)
        return redirect(url_for("pages.course", slug=slug, course_id=made.id), 303)

    return pages


def _add_doors(pages: Blueprint, parts: Parts) -> None:
    @pages.get("/")
    def home() -> str:
        return render_template("home.html", districts=parts.config.world.districts)

    @pages.get("/storage")
    def storage() -> str:
        """The frame that keeps what tools leave here, where the vendor has one."""
        offered = parts.config.profile.storage
        if offered is None or offered.frame == "_parent":
            abort(404)
        return render_template("storage.html", storage=offered)

    @pages.post("/<slug>/sign-in")
    def sign_in(slug: str) -> Response:
        found = parts.district(slug)
        person = found.person(request.form.get("person", ""))
        if person is None:
            abort(400)
        session[slug] = person.id
        mine = found.courses_of(person)
        if len(mine) != 1:
            return redirect(url_for("pages.district", slug=slug), 303)
        return redirect(url_for("pages.course", slug=slug, course_id=mine[0].id), 303)

    @pages.post("/<slug>/sign-out")
    def sign_out(slug: str) -> Response:
        parts.district(slug)
        session.pop(slug, None)
        return redirect(url_for("pages.district", slug=slug), 303)


def _add_district(pages: Blueprint, parts: Parts) -> None:
    @pages.get("/<slug>/")
    def district(slug: str) -> str:
        found = parts.district(slug)
        person = who(found)
        mine = found.courses_of(person) if person else []
        titles = {"Teachers": Role.TEACHER, "Assistants": Role.ASSISTANT, "Pupils": Role.PUPIL}
        everybody = [("Administrators", list(found.administrators))]
        everybody += [(title, found.people(role)) for title, role in titles.items()]
        asks = parts.config.profile.privacy_message is not None and person in found.administrators
        return render_template(
            "district.html", district=found, person=person, courses=mine, asks=asks,
            groups=[(title, people) for title, people in everybody if people],
        )  # fmt: skip


def _add_link(pages: Blueprint, parts: Parts) -> None:
    @pages.get("/<slug>/links/<link_id>")
    def link(slug: str, link_id: str) -> str | Response:
        district = parts.district(slug)
        placed = district.link(link_id)
        if placed is None:
            abort(404)
        seat = _seat(district, placed[0])
        if seat is None:
            return redirect(url_for("pages.district", slug=slug))
        return render_template(
            "link.html", district=district, course=placed[0], link=placed[1], person=seat.person,
            frame=parts.config.frame, storage=parts.config.profile.storage,
        )  # fmt: skip


def who(district: District) -> Person | None:
    """Who is signed in at a district: one person each, so that two districts can be open at once."""
    return district.person(str(session.get(district.slug, "")))


def _seat(district: District, course: Course) -> Enrolment | None:
    """What the visitor is in a course, None for nobody; 404 for somebody of other courses."""
    person = who(district)
    if person is None:
        return None
    found = course.enrolment(person.id)
    if found is None:
        abort(404)
    return found


def _grades(parts: Parts, district: District, course: Course, reader: Enrolment) -> tuple[list[str], list[Row]]:
    """Columns and rows: a teacher sees the class, a pupil their own row."""
    items = parts.store.line_items(district.slug, course.id)
    scores = [parts.store.scores(item) for item, _ in items]
    shown = course.pupils if reader.role.teaches else [reader.person]
    rows = [Row(pupil=pupil, scores=[column.get(pupil.id) for column in scores]) for pupil in shown]
    return [str(body["label"]) for _, body in items], rows
