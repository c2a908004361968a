"""What may be said of one deployment of a platform."""

from __future__ import annotations

from lti_server.db import Database, Door, enter_by
from lti_server.errors import NotFound
from lti_server.ids import DistrictId, RegistrationId
from lti_server.lti.tables import deployment
from lti_server.privacy.doors import DoorKeys


class Deployments:
    """Use cases on deployments. One transaction each."""

    def __init__(self, database: Database, doors: DoorKeys) -> None:
        self._database = database
        self._doors = doors

    def allow_anonymous(self, registration_id: RegistrationId, deployment_id: str, allowed: bool) -> DistrictId:
        """Say whether a deployment may launch without naming the reader (LTI Core 5.3.6); answers whose it is.

        Raises:
            NotFound: there is no such live platform, or it has no such deployment.
        """
        with self._database.anyone() as connection:
            found = enter_by(connection, Door.REGISTRATION, self._doors.of(Door.REGISTRATION, str(registration_id)))
            if found is None:
                raise NotFound("There is no such platform. `lti-server platform list` shows those there are.")
            of_platform = deployment.c.registration_id == registration_id
            changed = connection.execute(
                deployment.update()
                .where(of_platform, deployment.c.deployment_id == deployment_id)
                .values(anonymous=allowed)
            )
            if changed.rowcount != 1:
                raise NotFound("This platform has no such deployment id. `lti-server platform list` shows them.")
            return found.district_id
