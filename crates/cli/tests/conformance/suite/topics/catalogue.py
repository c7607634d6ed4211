"""Environments, regions, the account, and the process-wide client."""

import os

import fleet

from ..cases import SYNC, case
from ..checks import equal, now, that


def _check_environments(found):
    by_key = {environment.env_key: environment for environment in found}
    equal("the environments", sorted(by_key), ["helpdesk", "office"])
    equal("the name", by_key["helpdesk"].name, "Helpdesk")
    equal("the version", by_key["helpdesk"].default_version, "v1.0.0")
    equal("the versions", list(by_key["helpdesk"].versions), ["v1.0.0"])


@case("Fleet.list_envs fleet.env.list_envs")
async def environments_are_listed(sdk):
    _check_environments(await now(sdk.client().list_envs()))
    _check_environments(await now(sdk.env("list_envs")()))


@case("Fleet.environment")
async def one_environment_is_described(sdk):
    found = await now(sdk.client().environment("helpdesk"))
    equal("its key", found.env_key, "helpdesk")
    that("its description", "support desk" in found.description)


@case("Fleet.list_regions fleet.env.list_regions")
async def regions_are_listed(sdk):
    regions = await now(sdk.client().list_regions())
    that("there is a region", regions and all(isinstance(region, str) for region in regions))
    equal("the same from the module", await now(sdk.env("list_regions")()), regions)


@case("Fleet.account fleet.env.account")
async def the_account_counts_instances(sdk):
    before = await now(sdk.client().account())
    that("the team has a name", before.team_id and before.team_name)
    that("there is a limit", before.instance_limit > 0)
    async with sdk.instance():
        after = await now(sdk.env("account")())
        equal("one instance more", after.instance_count, before.instance_count + 1)
        equal("the same team", (after.team_id, after.profile_id), (before.team_id, before.profile_id))


@case("fleet.configure fleet.get_client fleet.reset_client", only=SYNC)
async def the_client_of_the_process_is_configured_and_forgotten(sdk):
    try:
        fleet.configure(api_key="not-the-key", base_url=os.environ["FLEET_BASE_URL"], max_retries=0, timeout=10)
        configured = fleet.get_client()
        that("it is one for the process", fleet.get_client() is configured)
        try:
            fleet.load_tasks()
        except fleet.exceptions.FleetAuthenticationError:
            pass
        else:
            raise AssertionError("the key given was not the one used")
    finally:
        fleet.reset_client()
    that("a new one after the reset", fleet.get_client() is not configured)
    that("it has the key of the environment", fleet.load_tasks())
