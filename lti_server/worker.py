"""A worker, with what every feature has it do."""

from __future__ import annotations

from lti_server.house import House
from lti_server.own_door_parts import OwnDoorHouse
from lti_server.privacy.log_sealer import SEAL_EVERY_S, SealLog
from lti_server.sign_in_parts import SignInHouse
from lti_server.tasks import Steady, Worker


def run_worker(house: House, *, concurrency: int = 4, until_idle: bool = False) -> None:
    """Work off the queue with the handlers of every feature."""
    database = house.database
    steady = Steady(every_s=SEAL_EVERY_S, work=SealLog(database, house.clock))
    rounds = (*SignInHouse(house).rounds, *OwnDoorHouse(house).rounds)
    Worker(database.url, database.options, house.handlers(), house.sweep, steady, rounds).run(
        concurrency=concurrency, until_idle=until_idle
    )
