"""Every class of error that the client raises, with its attributes. The server of this topic has room for two instances."""

import contextlib
import threading

from .. import stub
from ..cases import case
from ..checks import equal, now, raises, that
from ..desk import TICKET_OWNER

STUB = "the embedded Fleet has no reason to answer so; a server of the test does"


@case("fleet.exceptions.FleetEnvironmentNotFoundError fleet.exceptions.FleetVersionNotFoundError "
      "fleet.exceptions.FleetRegionError fleet.exceptions.FleetBadRequestError fleet.exceptions.FleetAPIError")
async def what_cannot_be_made_says_why(sdk):
    client, errors = sdk.client(), sdk.errors
    await raises("an unknown environment", errors.FleetEnvironmentNotFoundError, lambda: client.make("nowhere"),
                 env_key="nowhere", status_code=400)
    await raises("an unknown version", errors.FleetVersionNotFoundError, lambda: client.make("helpdesk:v9.9.9"),
                 status_code=400, version="v9.9.9", env_key="helpdesk")
    found = await raises("an unknown region", errors.FleetRegionError, lambda: client.make("helpdesk", region="the-moon"),
                         region="the-moon", status_code=400)
    equal("the regions that there are", found.supported_regions, await now(client.list_regions()))
    await raises("unknown data", errors.FleetBadRequestError, lambda: client.make("helpdesk", data_key="nothing"), status_code=400)
    await raises("too short a heartbeat", errors.FleetAPIError, lambda: client.make("helpdesk", heartbeat_interval=1),
                 status_code=422)
    everything = lambda: client.client.request("DELETE", "/v1/env/instances/batch")
    await raises("close_all of everything", errors.FleetBadRequestError, everything, status_code=400)
    await raises("close_all of everything, in the SDK", ValueError, client.close_all)
    equal("nothing was started", (await now(client.account())).instance_count, 0)


@case("fleet.exceptions.FleetAuthenticationError")
async def a_wrong_key_does_nothing(sdk):
    stranger, refusal = sdk.client(api_key="not-the-key"), sdk.errors.FleetAuthenticationError
    await raises("the account", refusal, stranger.account, status_code=401)
    await raises("an instance", refusal, lambda: stranger.make("helpdesk"))
    async with sdk.instance() as env:
        await raises("to close", refusal, lambda: stranger.close(env.instance_id))
        equal("it runs", (await now(sdk.client().instance(env.instance_id))).status, "running")


@case("fleet.exceptions.FleetInstanceLimitError")
async def the_limit_of_instances_is_kept(sdk):
    client = sdk.client()
    equal("the limit is the server's", (await now(client.account())).instance_limit, 2)
    async with sdk.instance() as first, sdk.instance():
        await raises("a third", sdk.errors.FleetInstanceLimitError, lambda: client.make("helpdesk"),
                     running_instances=2, instance_limit=2, status_code=403)
        await now(first.close())
        third = await now(client.make("helpdesk"))
        equal("room again", third.status, "running")
        await now(third.close())


@case("fleet.exceptions.FleetAPIError")
async def an_instance_that_is_gone_says_so(sdk):
    env = await now(sdk.client().make("helpdesk", heartbeat_interval=60))
    await now(env.close())
    await raises("a heartbeat", sdk.errors.FleetAPIError, env.heartbeat, status_code=410)
    task = await sdk.load_task(TICKET_OWNER)
    verify = task.verify_detailed if sdk.sync else task.verify_detailed_async
    response = await now(verify(env, final_answer="Priya Raman"))
    equal("a verification", (response.success, response.result), (False, None))


@case("fleet.exceptions.FleetAPIError")
async def what_is_not_there_is_not_found(sdk):
    client = sdk.client(max_retries=0)
    for what, call in (
        ("an instance", lambda: client.instance("00000000")),
        ("a task", lambda: client.get_task("nothing")),
        ("a transcript", lambda: client.get_session_transcript("nothing")),
    ):
        found = await raises(what, sdk.errors.FleetAPIError, call)
        equal(f"{what}: status", found.status_code, 404)
    await raises("an environment", sdk.errors.FleetEnvironmentNotFoundError, lambda: client.environment("nowhere"), status_code=400)


@contextlib.contextmanager
def _client(sdk, status, body, **options):
    with stub.answering(status, body) as url:
        yield sdk.client(base_url=url, max_retries=0, **options)


@case("fleet.exceptions.FleetPermissionError fleet.exceptions.FleetEnvironmentAccessError "
      "fleet.exceptions.FleetTeamNotFoundError", remark=STUB)
async def permissions_are_refused(sdk):
    for detail, error, attributes in (
        ("You may not do this", sdk.errors.FleetPermissionError, {}),
        ("Team 'acme' does not have permission", sdk.errors.FleetPermissionError, {}),
        ("You does not have permission to use environment 'secret'", sdk.errors.FleetEnvironmentAccessError, {"env_key": "secret"}),
        ("Team not found", sdk.errors.FleetTeamNotFoundError, {}),
    ):
        with _client(sdk, 403, {"detail": detail}) as client:
            await raises(detail, error, client.account, status_code=403, **attributes)


@case("fleet.exceptions.FleetConflictError", remark=STUB)
async def conflicts_name_what_they_are_about(sdk):
    with _client(sdk, 409, {"detail": "Resource 'mine' exists"}) as client:
        await raises("a conflict", sdk.errors.FleetConflictError, client.account, status_code=409, resource_name="mine")
    # A repeated create whose instance died; the answer serves both the create and the question about the instance.
    detail = {"error": "duplicate_request_id", "message": "Request 'x' has been processed", "instance_id": None}
    with _client(sdk, 409, {"detail": detail}) as client:
        await raises("a repeated create", sdk.errors.FleetConflictError, lambda: client.make("helpdesk"), status_code=409)


@case("fleet.exceptions.FleetRateLimitError", remark=STUB)
async def rates_are_limited(sdk):
    with _client(sdk, 429, {"detail": "Rate limit exceeded"}) as client:
        await raises("too fast", sdk.errors.FleetRateLimitError, client.account, status_code=429)


@case("fleet.exceptions.FleetTimeoutError", remark=STUB)
async def an_answer_that_does_not_come_is_a_timeout(sdk):
    held = threading.Event()
    with stub.answering(200, {}, held) as url:
        client = sdk.client(base_url=url, max_retries=0, timeout=0.2)
        await raises("no answer", sdk.errors.FleetTimeoutError, client.account)


@case("fleet.exceptions.FleetEnvironmentError", remark=STUB)
async def a_manager_that_does_not_answer_stops_the_load(sdk):
    with stub.answering(403, "no entry") as url:
        env = await now(sdk.client(max_retries=0).instance(url))
        found = await raises("the load", sdk.errors.FleetEnvironmentError, env.instance.load)
        that("the answer is in the text", "403" in str(found) and "no entry" in str(found))


@case("fleet.exceptions.FleetAPIError", remark=STUB)
async def a_server_that_is_not_there_is_an_error_of_the_request(sdk):
    with stub.answering(200, {}) as url:
        pass
    found = await raises("nobody listens", sdk.errors.FleetAPIError, sdk.client(base_url=url, max_retries=0).account)
    equal("it has no status", found.status_code, None)


@case("fleet.exceptions.FleetAPIError", remark=STUB)
async def errors_of_a_server_keep_their_status(sdk):
    for status in (402, 500, 501, 503):
        with _client(sdk, status, {"detail": "sorry"}) as client:
            found = await raises(str(status), sdk.errors.FleetAPIError, client.account, status_code=status)
            equal("the body", found.response_data, {"detail": "sorry"})
