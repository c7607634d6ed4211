"""The life of instances through the SDK's asynchronous half, several at once."""

import asyncio
import os
import time

import fleet
from desk import (
    KEYS, LIST_SHIPPING, RAISE_PRIORITY, TICKET_OWNER, TICKETS,
    check, check_pages, check_response, check_that, list_shipping, raise_priority,
)

RUN = "sdk-async"


async def native(task):
    env = await task.make(ttl_seconds=900, run_id=RUN, heartbeat_interval=30)
    check("status", env.status, "running")
    check("whose it is", (env.run_id, env.heartbeat_interval), (RUN, 30))
    await asyncio.to_thread(check_pages, env)

    await env.instance.load()
    check("resources", sorted(resource.name for resource in await env.resources() if resource.type.value == "sqlite"), ["current", "seed"])
    db = env.db()
    check("a query", (await db.query("SELECT COUNT(*) FROM tickets")).rows, [[TICKETS]])
    check("the table language", await db.table("tickets").eq("id", 3).select("priority").all(), [{"priority": "normal"}])
    check("count", await db.table("agents").count(), 6)

    beat = await env.heartbeat()
    check("heartbeat", (beat.success, beat.interval_seconds), (True, 30))
    check_that("the deadline lies ahead", beat.deadline_timestamp > time.time())

    check_response("native, before", await task.verify_detailed_async(env), 0)
    await asyncio.to_thread(raise_priority, env)
    await db.table("tickets").eq("id", 3).assert_eq("priority", "high")
    check_response("native, after", await task.verify_detailed_async(env, final_answer="done"), 1)
    check("verify_async gives the score alone", await task.verify_async(env), 1.0)
    return env


async def python(task):
    env = await task.make(run_id=RUN, ttl_seconds=900)
    check_response("Python, before", await task.verify_detailed_async(env, final_answer="4"), 0)
    answer = await asyncio.to_thread(list_shipping, env)
    check_response("Python, wrong answer", await task.verify_detailed_async(env, final_answer="many"), 0)
    check_response("Python, after", await task.verify_detailed_async(env, final_answer=answer), 1)
    return env


async def answer_only(task):
    env = await fleet.env.make_async("helpdesk", run_id=RUN)
    check_response("answer, wrong", await task.verify_detailed_async(env, final_answer="Tom Becker"), 0)
    check_response("answer, right", await task.verify_detailed_async(env, final_answer="Priya Raman"), 1)
    return env


async def main():
    client = fleet.AsyncFleet()
    check("environments", [env.env_key for env in await client.list_envs()], ["helpdesk"])
    check("instances at the start", (await client.account()).instance_count, 0)

    tasks = {task.key: task for task in await fleet.load_tasks_async(keys=KEYS)}
    check("tasks by keys", sorted(tasks), sorted(KEYS))
    project = await client.load_tasks(project_key="helpdesk-python")
    check_that("tasks by project", LIST_SHIPPING in {task.key for task in project})

    envs = await asyncio.gather(native(tasks[RAISE_PRIORITY]), python(tasks[LIST_SHIPPING]), answer_only(tasks[TICKET_OWNER]))
    ids = {env.instance_id for env in envs}
    check("three instances", len(ids), 3)

    listed = await fleet.env.list_instances_async(run_id=RUN, profile_id="self")
    check("instances of the run", {env.instance_id for env in listed}, ids)
    runs = [(run.run_id, run.running_count) for run in await client.list_runs(profile_id="self")]
    check("runs", runs, [(RUN, 3)])
    check("account", (await client.account()).instance_count, 3)

    check("close", (await envs[0].close()).status, "stopped")
    closed = await client.close_all(run_id=RUN)
    check("close_all", {env.instance_id for env in closed}, ids - {envs[0].instance_id})
    check("account at the end", (await client.account()).instance_count, 0)
    check("instances at the end", await client.instances(run_id=RUN), [])


asyncio.run(main())
print(f"done: {os.path.basename(__file__)}")
