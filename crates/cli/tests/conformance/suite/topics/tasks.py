"""Tasks: found, read, written, imported, exported; and what a task makes and verifies."""

import json
import pathlib
import tempfile

import fleet

from ..cases import case
from ..checks import equal, now, raises, scored, that
from ..desk import KEYS, LIST_SHIPPING, RAISE_PRIORITY, TICKET_OWNER, list_shipping, raise_priority

SOURCE = "def verify(env, final_answer=None):\n    return 1.0 if final_answer == 'yes' else 0.0\n"
OTHER_SOURCE = "def verify(env, final_answer=None):\n    return 1.0 if final_answer == 'no' else 0.0\n"


def _task(sdk, key, **more):
    return {"key": key, "prompt": "Answer yes.", "env_id": "helpdesk", "version": "v1.0.0", "data_id": "default",
            "env_variables": {"CURRENT_DATE": "2026-11-16"}, "verifier_func": SOURCE, "metadata": {"steps": 1}, **more}


@case("Fleet.load_tasks fleet.load_tasks")
async def tasks_are_found(sdk):
    client = sdk.client()
    for load in (client.load_tasks, sdk.fleet("load_tasks")):
        found = {task.key: task for task in await now(load(keys=KEYS))}
        equal("by keys", sorted(found), sorted(KEYS))
        that("with their verifiers", all(task.verifier and task.verifier_id and task.verifier_sha for task in found.values()))
        project = {task.key for task in await now(load(project_key="helpdesk-python"))}
        that("by project", LIST_SHIPPING in project and RAISE_PRIORITY not in project)
        every = await now(load(env_key="helpdesk"))
        that("by environment", set(KEYS) <= {task.key for task in every})
        equal("by version", await now(load(env_key="helpdesk", version="v9.9.9")), [])
        equal("by that version", len(await now(load(env_key="helpdesk", version="v1.0.0"))), len(every))
        equal("by data", {task.data_id for task in await now(load(data_id="busy"))} - {"busy"}, set())
        equal("by data that is not there", await now(load(data_id="nothing")), [])
        equal("by a project that is not there", await now(load(task_project_key="nothing")), [])
        equal("of another environment", await now(load(env_key="office")), [])


@case("Fleet.get_task fleet.get_task")
async def one_task_is_read(sdk):
    for get in (sdk.client().get_task, sdk.fleet("get_task")):
        found = await now(get(RAISE_PRIORITY))
        equal("which", (found.key, found.environment_id, found.version), (RAISE_PRIORITY, "helpdesk", "v1.0.0"))
        that("when", found.created_at)
        that("its verifier", found.verifier.code and found.verifier.sha256)


@case("Task.env_key Task.data_key")
async def keys_are_derived(sdk):
    task = await sdk.load_task(RAISE_PRIORITY)
    equal("of the environment", task.env_key, "helpdesk:v1.0.0")
    equal("of the data", task.data_key, "default")


@case("Task.make Task.make_env Task.verify Task.verify_async Task.verify_detailed Task.verify_detailed_async")
async def a_task_makes_its_environment_and_is_verified(sdk):
    task, other = await sdk.load_task(RAISE_PRIORITY), await sdk.load_task(LIST_SHIPPING)
    env = await now(task.make(ttl_seconds=900, run_id=sdk.unique("task"), heartbeat_interval=60))
    second = await now(other.make_env(ttl_seconds=900))
    try:
        equal("what runs", (env.env_key, env.version, env.data_key), ("helpdesk", "v1.0.0", "default"))
        equal("the task's variables", env.env_variables["CURRENT_DATE"], "2026-11-16")
        detailed = task.verify_detailed if sdk.sync else task.verify_detailed_async
        scored("before", await now(detailed(env)), 0)
        await raise_priority(env)
        scored("after", await now(detailed(env, final_answer="done")), 1)
        equal("the score alone", await now(task.verify_async(env)), 1.0)
        equal("the score, outside a loop", await sdk.outside_a_loop(task.verify, env), 1.0)
        scored("outside a loop", await sdk.outside_a_loop(task.verify_detailed, env), 1)
        scored("awaited", await now(task.verify_detailed_async(env)), 1)
        await raise_priority(env, ticket=7)
        scored("with damage beside it", await now(detailed(env)), 0)

        detailed = other.verify_detailed if sdk.sync else other.verify_detailed_async
        scored("Python, before", await now(detailed(second, final_answer="4")), 0)
        answer = await list_shipping(second)
        scored("Python, wrong answer", await now(detailed(second, final_answer="many")), 0)
        response = await now(detailed(second, answer))
        scored("Python, after", response, 1)
        that("what it printed", ">>> ERROR_ACCUMULATOR >>>" in response.stdout)
        equal("the bundle was there", response.bundle_cache_hit, True)
    finally:
        await now(env.close())
        await now(second.close())


@case("Task.verify_detailed")
async def an_answer_alone_is_verified(sdk):
    task = await sdk.load_task(TICKET_OWNER)
    env = await sdk.shared()
    for answer, score in (("Tom Becker", 0), (None, 0), ("It is Priya Raman.", 1)):
        response = await sdk.outside_a_loop(task.verify_detailed, env, final_answer=answer)
        scored(f"answer {answer}", response, score)


@case("Fleet.export_tasks Fleet.load_tasks_from_file Fleet.load_task_array_from_string Fleet.load_task_from_string "
      "Fleet.load_task_from_json fleet.load_tasks_from_file")
async def exported_tasks_are_loaded_again(sdk):
    client = sdk.client()
    with tempfile.TemporaryDirectory() as folder:
        path = str(pathlib.Path(folder, "tasks.json"))
        equal("the file", await now(client.export_tasks("helpdesk", path)), path)
        text = pathlib.Path(path).read_text()
        keys = [entry["key"] for entry in json.loads(text)]
        that("the tasks are in it", set(KEYS) <= set(keys))
        equal("nothing to export", await now(client.export_tasks("nowhere", path)), None)
        loads = [
            await now(client.load_tasks_from_file(path)),
            await now(sdk.fleet("load_tasks_from_file")(path)),
            await now(client.load_task_array_from_string(text)),
            await now(client.load_task_array_from_string(json.dumps({"tasks": json.loads(text)}))),
        ]
        for tasks in loads:
            equal("the same tasks", [task.key for task in tasks], keys)
        single = next(entry for entry in json.loads(text) if entry["key"] == TICKET_OWNER)
        loads = [await now(client.load_task_from_string(json.dumps(single))), await now(client.load_task_from_json(single))]
        for task in loads:
            equal("the same task", (task.key, task.env_key), (TICKET_OWNER, "helpdesk:v1.0.0"))
            verify = task.verify_detailed if sdk.sync else task.verify_detailed_async
            scored("which is still verified", await now(verify(await sdk.shared(), final_answer="Priya Raman")), 1)


@case("Fleet.import_single_task fleet.import_task Fleet.import_tasks fleet.import_tasks")
async def tasks_are_imported(sdk):
    client, project = sdk.client(), sdk.unique("project")
    one, two, three, four = (sdk.unique("imported") for _ in range(4))
    first = await now(client.load_task_from_json(_task(sdk, one)))
    answer = await now(client.import_single_task(first, project_key=project))
    that(f"the answer: {answer}", answer is not None and answer.status_code < 300)
    second = await now(client.load_task_from_json(_task(sdk, two)))
    that("through the module", await now(sdk.fleet("import_task")(second, project_key=project)) is not None)
    without = await now(client.load_task_from_json({**_task(sdk, "none"), "verifier_func": None}))
    equal("one without a verifier is not", await now(client.import_single_task(without)), None)
    with tempfile.TemporaryDirectory() as folder:
        for key, load in ((three, client.import_tasks), (four, sdk.fleet("import_tasks"))):
            path = pathlib.Path(folder, f"{key}.json")
            path.write_text(json.dumps([_task(sdk, key)]))
            equal("how many were imported", len(await now(load(str(path), project_key=project))), 1)
    found = {task.key: task for task in await now(client.load_tasks(project_key=project))}
    equal("all are in the project", set(found), {one, two, three, four})
    task = found[one]
    equal("as they were", (task.prompt, task.env_key, task.data_key, task.metadata["steps"], task.env_variables),
          ("Answer yes.", "helpdesk:v1.0.0", "default", 1, {"CURRENT_DATE": "2026-11-16"}))
    env = await now(task.make())
    try:
        verify = task.verify_detailed if sdk.sync else task.verify_detailed_async
        scored("the right answer", await now(verify(env, final_answer="yes")), 1)
        scored("the wrong answer", await now(verify(env, final_answer="no")), 0)
    finally:
        await now(env.close())


@case("Fleet.update_task fleet.tasks.update_task")
async def a_task_is_updated(sdk):
    client, key = sdk.client(), sdk.unique("updated")
    task = await now(client.load_task_from_json(_task(sdk, key)))
    that("it is there", await now(client.import_single_task(task)) is not None)
    updated = await now(client.update_task(key, prompt="Answer no."))
    equal("the prompt", (updated.key, updated.prompt), (key, "Answer no."))
    updated = await now(sdk.tasks.update_task(key, metadata={"steps": 2}))
    equal("the rest", (updated.prompt, updated.metadata["steps"]), ("Answer no.", 2))
    before = updated.verifier.sha256 if updated.verifier else None
    updated = await now(client.update_task(key, verifier_code=OTHER_SOURCE))
    that("another verifier", updated.verifier.sha256 != before and "'no'" in updated.verifier.code)
    task = await sdk.load_task(key)
    equal("read again", (task.prompt, task.metadata["steps"]), ("Answer no.", 2))
    verify = task.verify_detailed if sdk.sync else task.verify_detailed_async
    scored("the new answer", await now(verify(await sdk.shared(), final_answer="no")), 1)
    scored("the old answer", await now(verify(await sdk.shared(), final_answer="yes")), 0)
    unknown = sdk.client(max_retries=0)
    found = await raises("one that is not there", sdk.errors.FleetAPIError, lambda: unknown.update_task("nothing", prompt="x"))
    equal("status", found.status_code, 404)
