"""The instance's manager: resources, state, reset, health."""

from fleet.instance.models import ResetRequest

from ..cases import case
from ..checks import equal, now, that
from ..desk import TICKETS, pages_answer


@case("Instance.load Instance.resources Instance.state Env.resources Env.state Env.instance "
      "Resource.uri Resource.name Resource.type Resource.mode")
async def resources_are_named_and_found(sdk):
    env = await sdk.shared()
    await now(env.instance.load())
    listed = {resource.name: resource for resource in await now(env.resources())}
    that("both databases", {"current", "seed"} <= set(listed))
    equal("the same from the manager", sorted(r.name for r in await now(env.instance.resources())), sorted(listed))
    current = listed["current"]
    equal("its address", (current.uri, current.name, current.type.value), ("sqlite://current", "current", "sqlite"))
    equal("by address", env.state("sqlite://current").name, "current")
    equal("by address, of the manager", env.instance.state("sqlite://seed").name, "seed")
    equal("modes", (listed["current"].resource.mode.value, listed["seed"].resource.mode.value), ("rw", "ro"))
    # A database's `mode` is how it is reached; of all others it is what may be done.
    equal("how it is reached", current.mode, "http")
    equal("what may be done with files", env.fs().mode.value, "ro")


@case("Env.reset Instance.reset")
async def a_reset_brings_the_seed_back(sdk):
    async with sdk.instance() as env:
        db = env.db()
        insert = "INSERT INTO tags (name) VALUES ('from-the-sdk')"
        for reset in (lambda: env.reset(), lambda: env.reset(seed=7, timestamp=1_700_000_000), lambda: env.instance.reset(),
                      lambda: env.instance.reset(ResetRequest(seed=1))):
            equal("a change", (await now(db.exec(insert))).success, True)
            equal("it is there", await now(db.table("tags").eq("name", "from-the-sdk").count()), 1)
            answer = await now(reset())
            that("the reset succeeded", answer.success and answer.message)
            equal("the change is gone", await now(db.table("tags").eq("name", "from-the-sdk").count()), 0)
        await pages_answer(env)


@case("Instance.manager_health_check")
async def the_manager_is_healthy(sdk):
    health = await now((await sdk.shared()).instance.manager_health_check())
    equal("status", health.status, "healthy")
    that("the rest", health.timestamp and health.service)


@case("Instance.step", remark="computes a placeholder in the SDK; makes no request")
async def a_step_is_a_placeholder(sdk):
    state, reward, done = await now((await sdk.shared()).instance.step({"click": 1}))
    equal("the state", (state["action"], state["status"]), ({"click": 1}, "completed"))
    equal("reward and end", (reward, done), (0.0, False))


@case("Instance.db Env.db Instance.close")
async def databases_are_taken_from_either_handle(sdk):
    env = await sdk.shared()
    for db in (env.db(), env.db("seed"), env.instance.db("current"), env.instance.db("seed")):
        equal("the tickets", (await now(db.query("SELECT COUNT(*) FROM tickets"))).rows, [[TICKETS]])
    # Of what the manager holds, this closes only databases in memory; there are none.
    await now(env.instance.close())
    equal("still there", await now(env.db().table("tickets").count()), TICKETS)


@case("Env.verify Env.verify_raw Instance.verify Instance.verify_raw")
async def a_function_is_executed_in_the_instance(sdk):
    async with sdk.instance() as env:
        raw = "def check(env, final_answer=None) -> float:\n    return 1.0\n"
        for handle in (env, env.instance):
            answer = await now(handle.verify_raw(PRIORITY_IS_HIGH))
            equal("before", (answer.success, answer.result, answer.error), (True, 0, None))
            named = await now(handle.verify_raw(PRIORITY_IS_HIGH, "priority_is_high"))
            equal("named", (named.success, named.result), (True, 0))
            answer = await now(handle.verify(nothing_is_missing))
            equal(f"from a function of this process: {answer.error}", (answer.success, answer.result), (True, 1))
        await now(env.db().exec("UPDATE tickets SET priority = 'high' WHERE id = 3"))
        equal("after", (await now(env.verify_raw(PRIORITY_IS_HIGH))).result, 1)
        converted = await now(env.verify_raw(raw))
        equal("the newer form, as the SDK rewrites it", (converted.success, converted.result), (True, 1))
        broken = await now(env.verify_raw("def check(before, after, transcript=None) -> int:\n    raise LookupError('no such row')\n"))
        equal("what raises has no result", (broken.success, broken.result), (False, None))
        that("and says why", "no such row" in broken.error)


PRIORITY_IS_HIGH = '''def priority_is_high(before: DatabaseSnapshot, after: DatabaseSnapshot, transcript=None) -> int:
    ticket = after.table("tickets").eq("id", 3).first()
    if ticket["priority"] != "high":
        return TASK_FAILED_SCORE
    before.diff(after, IgnoreConfig(tables={"activity"})).expect_only(
        [{"table": "tickets", "pk": 3, "field": "priority", "after": "high"}])
    return TASK_SUCCESSFUL_SCORE
'''


def nothing_is_missing(before, after, transcript=None) -> int:
    return 1 if before.table("tickets").count().value == after.table("tickets").count().value else 0
