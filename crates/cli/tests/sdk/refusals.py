"""What the server refuses becomes the SDK's own classes of error, with their attributes. The server has room for two instances."""

import asyncio
import os

import fleet
from fleet.exceptions import (
    FleetAPIError, FleetAuthenticationError, FleetBadRequestError, FleetEnvironmentNotFoundError,
    FleetInstanceLimitError, FleetRegionError, FleetVersionNotFoundError,
)
from fleet.tasks import verifier_from_string
from desk import TICKET_OWNER, check, refused, refused_async

RUN = "sdk-refusals"

client = fleet.Fleet()

refused("an unknown environment", FleetEnvironmentNotFoundError, lambda: client.make("nowhere"), env_key="nowhere", status_code=400)
refused("an unknown version", FleetVersionNotFoundError, lambda: client.make("helpdesk:v9.9.9"), status_code=400)
refused("an unknown region", FleetRegionError, lambda: client.make("helpdesk", region="the-moon"), region="the-moon")
refused("an unknown data key", FleetBadRequestError, lambda: client.make("helpdesk", data_key="nothing"), status_code=400)
refused("too short a heartbeat", FleetAPIError, lambda: client.make("helpdesk", heartbeat_interval=1), status_code=422)
refused(
    "close_all of everything", FleetBadRequestError,
    lambda: client.client.request("DELETE", "/v1/env/instances/batch"), status_code=400,
)
check("nothing was started", client.account().instance_count, 0)

stranger = fleet.Fleet(api_key="not-the-key")
refused("a wrong key", FleetAuthenticationError, stranger.account, status_code=401)
refused("a wrong key cannot start anything", FleetAuthenticationError, lambda: stranger.make("helpdesk"))

check("the limit is the server's", client.account().instance_limit, 2)
first, second = client.make("helpdesk", run_id=RUN), client.make("helpdesk", run_id=RUN)
refused(
    "a third instance", FleetInstanceLimitError, lambda: client.make("helpdesk", run_id=RUN),
    running_instances=2, instance_limit=2, status_code=403,
)
check("a wrong key closes nothing", client.account().instance_count, 2)
refused("a wrong key cannot close", FleetAuthenticationError, lambda: stranger.close(first.instance_id))
first.close()
third = client.make("helpdesk", run_id=RUN)
check("room again after a close", third.status, "running")

refused("a heartbeat for what is gone", FleetAPIError, first.heartbeat, status_code=410)
task = fleet.load_tasks(keys=[TICKET_OWNER])[0]
closed = task.verify_detailed(first, final_answer="Priya Raman")
check("an instance that is gone cannot be verified", closed.success, False)

# A verifier that breaks has no score; that is not the same as a zero.
source = "def verify_nothing(env, final_answer=None):\n    print('so far')\n    raise LookupError('no such row')\n"
broken = verifier_from_string(source, "broken-id", "broken").remote_with_response(second, final_answer="x")
check("a verifier that raises", (broken.success, broken.result), (False, None))
check("what it raised", (broken.error["type"], "no such row" in broken.error["message"]), ("LookupError", True))
check("what it printed before", "so far" in broken.stdout, True)


async def half():
    """The asynchronous half has classes of its own."""
    from fleet._async import exceptions as errors

    client = fleet.AsyncFleet()
    await refused_async("an unknown environment, async", errors.FleetEnvironmentNotFoundError, lambda: client.make("nowhere"))
    await refused_async("a third instance, async", errors.FleetInstanceLimitError, lambda: client.make("helpdesk"), running_instances=2)
    stranger = fleet.AsyncFleet(api_key="not-the-key")
    await refused_async("a wrong key, async", errors.FleetAuthenticationError, stranger.account)
    check("close_all", len(await client.close_all(profile_id="self")), 2)


asyncio.run(half())
check("account at the end", client.account().instance_count, 0)
print(f"done: {os.path.basename(__file__)}")
