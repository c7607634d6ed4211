"""The life of two instances through the SDK's synchronous half, by module functions and by a client of its own."""

import os
import time

import fleet
from desk import (
    KEYS, LIST_SHIPPING, RAISE_PRIORITY, TICKET_OWNER, TICKETS,
    check, check_pages, check_response, check_that, list_shipping, raise_priority, request,
)

RUN = "sdk-sync"

client = fleet.Fleet()

# The catalogue.
envs = {env.env_key: env for env in fleet.env.list_envs()}
check("environments", sorted(envs), ["helpdesk"])
check("versions", sorted(client.environment("helpdesk").versions), ["v1.0.0"])
check_that("there are regions", len(fleet.env.list_regions()) > 0)
check("instances at the start", client.account().instance_count, 0)

# Tasks, by keys, by project, by environment.
tasks = {task.key: task for task in fleet.load_tasks(keys=KEYS)}
check("tasks by keys", sorted(tasks), sorted(KEYS))
check_that("every task has a verifier", all(task.verifier for task in tasks.values()))
project = {task.key for task in fleet.load_tasks(project_key="helpdesk")}
python_project = {task.key for task in fleet.load_tasks(project_key="helpdesk-python")}
check_that("the files are the projects", RAISE_PRIORITY in project and LIST_SHIPPING in python_project)
check("a task is in one project", project & python_project, set())
check("tasks by environment", {task.key for task in fleet.load_tasks(env_key="helpdesk")}, project | python_project)
check("tasks of an unknown project", fleet.load_tasks(project_key="nowhere"), [])
check("a single task", fleet.get_task(TICKET_OWNER).prompt, tasks[TICKET_OWNER].prompt)

# An instance made by its task, with everything that a lease can have.
task = tasks[RAISE_PRIORITY]
env = task.make(ttl_seconds=900, run_id=RUN, heartbeat_interval=60)
check("status", env.status, "running")
check("what runs", (env.env_key, env.version, env.data_key), ("helpdesk", "v1.0.0", "default"))
check("whose it is", (env.run_id, env.heartbeat_interval), (RUN, 60))
check("the task's variables", env.env_variables["CURRENT_DATE"], "2026-11-16")
check_pages(env)

# Its manager: resources, queries, the table language, reset.
env.instance.load()
check("resources", sorted(resource.name for resource in env.resources() if resource.type.value == "sqlite"), ["current", "seed"])
check("manager health", env.instance.manager_health_check().status, "healthy")
db = env.db()
check("a query", db.query("SELECT COUNT(*) FROM tickets").rows, [[TICKETS]])
check("a query with arguments", db.query("SELECT subject FROM tickets WHERE id = ?", [3]).rows, [["Label printer offline after update"]])
described = {table.name: [column["name"] for column in table.columns] for table in db.describe().tables}
check_that("describe names tables and columns", "tickets" in described and "priority" in described["tickets"])
open_tickets = db.table("tickets").eq("status", "open").all()
check("the table language counts", db.table("tickets").eq("status", "open").count(), len(open_tickets))
check("select, sort, limit", db.table("tickets").select("id").sort("id", desc=True).limit(2).all(), [{"id": 42}, {"id": 41}])
check("in", db.table("agents").in_("name", ["Priya Raman", "Tom Becker"]).count(), 2)
check("not null", db.table("tickets").not_null("assignee_id").count() + db.table("tickets").is_null("assignee_id").count(), TICKETS)
db.table("tickets").eq("id", 3).assert_eq("status", "open")
check("a wrong query", db.query("SELECT nothing FROM nowhere").success, False)
env.db("seed").exec("DELETE FROM tickets")
check("the seed cannot be changed", env.db("seed").table("tickets").count(), TICKETS)
check("exec", db.exec("INSERT INTO tags (name) VALUES (?)", ["from-the-sdk"]).success, True)
check("exec changed the data", db.table("tags").eq("name", "from-the-sdk").count(), 1)
check("reset", env.reset().success, True)
check("reset brought the seed back", db.table("tags").eq("name", "from-the-sdk").count(), 0)
check_pages(env)

# Heartbeats, by the handle and by id.
beat = env.heartbeat()
check("heartbeat", (beat.success, beat.instance_id, beat.interval_seconds), (True, env.instance_id, 60))
check_that("the deadline lies ahead", beat.deadline_timestamp > time.time())
check_that("a later beat moves it on", fleet.env.heartbeat(env.instance_id).deadline_timestamp >= beat.deadline_timestamp)

# A native verifier: before the work, after it, and after damage beside it.
check_response("native, before", task.verify_detailed(env), 0)
raise_priority(env)
check_response("native, after", task.verify_detailed(env, final_answer="done"), 1)
check("verify gives the score alone", task.verify(env), 1.0)
raise_priority(env, ticket=7)
check_response("native, with damage beside it", task.verify_detailed(env), 0)

# A Python verifier, whose score hangs on the state and on the answer.
other_task = tasks[LIST_SHIPPING]
other = client.make("helpdesk:v1.0.0", data_key="default", run_id=RUN, ttl_seconds=900, env_variables=other_task.env_variables)
check_response("Python, before", other_task.verify_detailed(other, final_answer="4"), 0)
answer = list_shipping(other)
check_response("Python, wrong answer", other_task.verify_detailed(other, final_answer="many"), 0)
response = other_task.verify_detailed(other, final_answer=answer)
check_response("Python, after", response, 1)
check_that("what the verifier printed comes back", ">>> ERROR_ACCUMULATOR >>>" in response.stdout)
check("the bundle was there already", response.bundle_cache_hit, True)

# A native verifier of the answer alone.
third = fleet.env.make("helpdesk", run_id=f"{RUN}-other")
check_response("answer, wrong", tasks[TICKET_OWNER].verify_detailed(third, final_answer="Tom Becker"), 0)
check_response("answer, none", tasks[TICKET_OWNER].verify_detailed(third), 0)
check_response("answer, right", tasks[TICKET_OWNER].verify_detailed(third, final_answer="It is Priya Raman."), 1)

# Lists.
listed = fleet.env.list_instances(run_id=RUN, profile_id="self")
check("instances of the run", {found.instance_id for found in listed}, {env.instance_id, other.instance_id})
check("instances of an unknown run", fleet.env.list_instances(run_id="nowhere"), [])
check("instances by status", len(client.instances(status="running")), 3)
check("an instance by id", fleet.env.get(env.instance_id).urls.root, env.urls.root)
runs = {run.run_id: run for run in fleet.env.list_runs(profile_id="self")}
check("runs", sorted(runs), [RUN, f"{RUN}-other"])
check("a run counts its instances", (runs[RUN].running_count, runs[RUN].total_count), (2, 2))
check("account", client.account().instance_count, 3)

# Giving back: one by its handle, one by id, the rest of the run at once.
check("close", env.close().status, "stopped")
check("closing twice", fleet.env.close(env.instance_id).status, "stopped")
check("the closed one is not listed", [found.instance_id for found in client.instances(run_id=RUN)], [other.instance_id])
check("close_all", [closed.instance_id for closed in fleet.env.close_all(run_id=RUN)], [other.instance_id])
check("close_all again", fleet.env.close_all(run_id=RUN), [])
check("close by id", client.close(third.instance_id).status, "stopped")
for url in (env.urls.root, env.urls.app[0]):
    try:
        request("GET", url)
    except OSError:
        continue
    raise AssertionError(f"{url} still answers")
print("ok  nothing answers any more")
check("account at the end", client.account().instance_count, 0)
check("active runs at the end", fleet.env.list_runs(), [])
ended = {run.run_id: (run.running_count, run.total_count) for run in client.list_runs(status="inactive")}
check("inactive runs at the end", ended, {RUN: (0, 2), f"{RUN}-other": (0, 1)})
print(f"done: {os.path.basename(__file__)}")
