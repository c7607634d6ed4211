"""The life of instances: made, found, kept alive, counted, given back."""

import asyncio
import time

from ..cases import ASYNC, case
from ..checks import equal, now, scored, that
from ..desk import RAISE_PRIORITY, pages_answer, raise_priority, request


@case("Fleet.make Env.close Env.manager_url")
async def an_instance_is_made_as_asked_for(sdk):
    run = sdk.unique("make")
    (region, *_) = await now(sdk.client().list_regions())
    env = await now(sdk.client().make(
        "helpdesk:1.0.0", data_key="default", region=region, env_variables={"LOGGED_IN_NAME": "Ada"},
        ttl_seconds=900, run_id=run, heartbeat_interval=60, timeout=120, max_wait_seconds=60,
    ))
    equal("status", env.status, "running")
    equal("what runs", (env.env_key, env.version, env.data_key), ("helpdesk", "v1.0.0", "default"))
    equal("where, for whom", (env.region, env.run_id, env.heartbeat_interval), (region, run, 60))
    equal("its variables", env.env_variables["LOGGED_IN_NAME"], "Ada")
    equal("the manager", env.manager_url, env.urls.manager.api)
    await pages_answer(env)
    closed = await now(env.close())
    equal("closed", (closed.instance_id, closed.status), (env.instance_id, "stopped"))
    that("when", closed.terminated_at)
    equal("closed again", (await now(env.close())).status, "stopped")
    for url in (env.urls.root, env.urls.app[0]):
        try:
            await request("GET", url)
        except OSError:
            continue
        raise AssertionError(f"{url} still answers")


@case("Fleet.make_for_task fleet.env.make_for_task")
async def an_instance_is_made_for_a_task(sdk):
    task = await sdk.load_task(RAISE_PRIORITY)
    # The function of the module is called `…_async` and is none.
    from fleet.env import make_for_task_async
    made = [await now(sdk.client().make_for_task(task))]
    if not sdk.sync:
        made.append(make_for_task_async(task))
    for env in made:
        equal("what runs", (env.env_key, env.version), ("helpdesk", "v1.0.0"))
        await now(env.close())


@case("Fleet.instances Fleet.instance Fleet.list_runs Fleet.close Fleet.delete Fleet.close_all")
async def instances_are_found_counted_and_closed_through_the_client(sdk):
    client, run = sdk.client(), sdk.unique("client")
    first, second, third = [await now(client.make("helpdesk", run_id=run)) for _ in range(3)]
    ids = {first.instance_id, second.instance_id, third.instance_id}
    listed = await now(client.instances(run_id=run, profile_id="self", status="running", region=first.region))
    equal("listed", {env.instance_id for env in listed}, ids)
    equal("an unknown run", await now(client.instances(run_id="nowhere")), [])
    found = await now(client.instance(first.instance_id))
    equal("found by id", found.urls.root, first.urls.root)
    runs = {entry.run_id: entry for entry in await now(client.list_runs(profile_id="self"))}
    equal("counted", (runs[run].running_count, runs[run].total_count), (3, 3))
    that("when", runs[run].first_created_at <= runs[run].last_created_at)

    equal("close", (await now(client.close(first.instance_id))).status, "stopped")
    equal("delete", (await now(client.delete(second.instance_id))).status, "stopped")
    left = await now(client.close_all(run_id=run))
    equal("close_all", [closed.instance_id for closed in left], [third.instance_id])
    equal("close_all again", await now(client.close_all(run_id=run)), [])
    equal("none of it runs", await now(client.instances(run_id=run)), [])
    equal("a closed one is still found", (await now(client.instance(first.instance_id))).status, "stopped")
    that("not active any more", run not in {entry.run_id for entry in await now(client.list_runs())})
    for status in ("inactive", "all"):
        ended = {entry.run_id: entry for entry in await now(client.list_runs(status=status))}
        equal(f"counted as {status}", (ended[run].running_count, ended[run].total_count), (0, 3))


@case("fleet.env.make fleet.env.get fleet.env.list_instances fleet.env.list_runs fleet.env.close fleet.env.close_all")
async def instances_are_made_found_and_closed_through_the_module(sdk):
    run = sdk.unique("module")
    env = await now(sdk.env("make")("helpdesk", run_id=run))
    other = await now(sdk.env("make")("helpdesk", run_id=run))
    equal("found by id", (await now(sdk.env("get")(env.instance_id))).urls.root, env.urls.root)
    listed = await now(sdk.env("list_instances")(run_id=run, profile_id="self"))
    equal("listed", {found.instance_id for found in listed}, {env.instance_id, other.instance_id})
    runs = {entry.run_id: entry.running_count for entry in await now(sdk.env("list_runs")(profile_id="self"))}
    equal("counted", runs[run], 2)
    equal("close", (await now(sdk.env("close")(env.instance_id))).status, "stopped")
    closed = await now(sdk.env("close_all")(run_id=run))
    equal("close_all", [record.instance_id for record in closed], [other.instance_id])
    equal("nothing runs", await now(sdk.env("list_instances")(run_id=run)), [])


@case("Env.heartbeat Fleet.heartbeat fleet.env.heartbeat")
async def heartbeats_move_the_deadline_on(sdk):
    async with sdk.instance(heartbeat_interval=60) as env:
        first = await now(env.heartbeat())
        equal("the answer", (first.success, first.instance_id, first.interval_seconds), (True, env.instance_id, 60))
        that("the deadline lies ahead", first.deadline_timestamp > time.time())
        second = await now(sdk.client().heartbeat(env.instance_id, region=env.region))
        third = await now(sdk.env("heartbeat")(env.instance_id))
        deadlines = [beat.deadline_timestamp for beat in (first, second, third)]
        equal("each is no earlier than the one before", deadlines, sorted(deadlines))
    async with sdk.instance() as env:
        beat = await now(env.heartbeat())
        equal("without an interval there is no deadline", (beat.success, beat.deadline_timestamp), (True, None))


@case("Fleet.make Env.close", only=ASYNC)
async def several_are_made_and_closed_at_once(sdk):
    client, run = sdk.client(), sdk.unique("many")
    envs = await asyncio.gather(*(client.make("helpdesk", run_id=run) for _ in range(4)))
    equal("four instances", len({env.instance_id for env in envs}), 4)
    await asyncio.gather(*(pages_answer(env) for env in envs))
    closed = await asyncio.gather(*(env.close() for env in envs))
    equal("all closed", {record.status for record in closed}, {"stopped"})


@case("Fleet.instance Env.manager_url Env.db")
async def an_instance_is_reached_by_its_manager_alone(sdk):
    async with sdk.instance() as env:
        direct = await now(sdk.client().instance(env.urls.manager.api))
        equal("its manager", direct.instance.base_url, env.urls.manager.api)
        # The asynchronous half does not have the URL in `manager_url`; nothing there asks for it.
        if sdk.sync:
            equal("the URL", direct.manager_url, env.urls.manager.api)
        else:
            equal("the URL of the made one", env.manager_url, env.urls.manager.api)
        await now(direct.instance.load())
        equal("the data", (await now(direct.db().query("SELECT COUNT(*) FROM agents"))).rows, [[6]])


@case("Task.make Task.verify_detailed")
async def instances_of_one_run_do_not_see_each_other(sdk):
    task, run = await sdk.load_task(RAISE_PRIORITY), sdk.unique("apart")
    one = await now(task.make(run_id=run, ttl_seconds=900))
    two = await now(task.make(run_id=run, ttl_seconds=900))
    await raise_priority(one)
    verify = task.verify_detailed if sdk.sync else task.verify_detailed_async
    scored("the one that was worked in", await now(verify(one)), 1)
    scored("the other", await now(verify(two)), 0)
    scored("outside a loop", await sdk.outside_a_loop(task.verify_detailed, two), 0)
    equal("both closed", len(await now(sdk.client().close_all(run_id=run))), 2)
