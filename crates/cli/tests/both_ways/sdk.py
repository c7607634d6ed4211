"""The calls of the comparison, made with one half of the official SDK: `sdk.py sync` or `sdk.py async`. The folder `rust` makes the same ones,
under the same names and in the same order.

Before each case a request is sent whose path has the case's name, so that the record of the server can be told apart.
"""

import asyncio
import json
import os
import pathlib
import sys

import fleet._async.exceptions
import fleet.cli
from awaited import Awaited, bare
from fleet import AsyncFleet, Fleet
from fleet._async.resources.browser import AsyncBrowserResource
from fleet.eval import TrafficUploader
from fleet.exceptions import FleetError
from fleet.instance.models import Resource
from fleet.judge import Criterion, File, Image, Rubric
from fleet.resources.browser import BrowserResource
from fleet.verifiers import IgnoreConfig

ASYNC = sys.argv[1] == "async"
REFUSALS = (FleetError, fleet._async.exceptions.FleetError)

TASK = "helpdesk-ticket-owner"
RUN = "both-ways"


def client(**whom):
    """Of the half that is asked for; without a key it speaks as whoever logged in."""
    whom["base_url"] = os.environ["FLEET_BASE_URL"]
    return Awaited(AsyncFleet(**whom)) if ASYNC else Fleet(**whom)


def verified(task, env, *arguments, **named):
    verify = task.verify_detailed_async if ASYNC else task.verify_detailed
    return verify(env, *arguments, **named)


class World:
    def __init__(self):
        self.fleet = client(api_key=os.environ["FLEET_API_KEY"])
        self.env = None
        self.task = None
        self.job = None
        self.session = None


CASES = {}


def case(name, only_sync=False):
    """`only_sync`: the other half of the SDK has no such call, and makes none."""

    def add(function):
        CASES[name] = (lambda _: None) if only_sync and ASYNC else function
        return function

    return add


@case("environments")
def _(w):
    w.fleet.list_envs()


@case("environment")
def _(w):
    w.fleet.environment("helpdesk")


@case("regions")
def _(w):
    w.fleet.list_regions()


@case("account")
def _(w):
    w.fleet.account()


@case("make")
def _(w):
    w.env = w.fleet.make("helpdesk", run_id=RUN)


@case("make-with-everything")
def _(w):
    env = w.fleet.make(
        "helpdesk:1.0.0",
        data_key="default",
        region="us-east-1",
        env_variables={"CURRENT_DATE": "2026-11-16", "N": 7, "FLAGS": {"a": [1, None, True]}},
        ttl_seconds=7200,
        run_id=RUN,
        heartbeat_interval=30,
        timeout=120,
    )
    env.close()


@case("make-with-an-empty-map-and-a-wait")
def _(w):
    w.fleet.make("helpdesk", env_variables={}, max_wait_seconds=5000, run_id=RUN).close()


@case("make-with-unknown-versions")
def _(w):
    w.fleet.make("helpdesk:Forge1.1.0", data_key="seed:0.0.4")


@case("make-an-image-that-is-not-there")
def _(w):
    w.fleet.make("helpdesk", image_type="mcp", region="mars-1")


@case("make-for-a-task")
def _(w):
    w.task = w.fleet.load_tasks(keys=[TASK])[0]
    w.task.make(run_id=RUN, heartbeat_interval=60, ttl_seconds=600).close()


@case("instance")
def _(w):
    w.fleet.instance(w.env.instance_id)


@case("instances")
def _(w):
    w.fleet.instances()
    w.fleet.instances(status="running", region="us-west-1", run_id=RUN, profile_id="self")


@case("runs")
def _(w):
    w.fleet.list_runs()
    w.fleet.list_runs(status="all", profile_id="self")
    w.fleet.list_runs(status="inactive")


@case("heartbeat")
def _(w):
    w.env.heartbeat()
    w.fleet.heartbeat(w.env.instance_id, region="us-east-1")


@case("tasks-by-keys")
def _(w):
    w.fleet.load_tasks(keys=[TASK, "helpdesk-count-urgent", "no such task & more"])


@case("tasks-by-everything")
def _(w):
    w.fleet.load_tasks(env_key="helpdesk", team_id="t", project_key="helpdesk", task_project_key="helpdesk", data_id="default", data_version="v1")


@case("task")
def _(w):
    w.fleet.get_task(TASK)
    w.fleet.get_task(TASK, version_id="v", team_id="t")


@case("import-a-task")
def _(w):
    task = w.fleet.load_task_from_json(
        {
            "key": "imported",
            "prompt": "Grüße",
            "env_id": "helpdesk",
            "version": "v1.0.0",
            "data_id": "default",
            "created_at": "2026-11-16T08:00:00",
            "env_variables": {"A": 1},
            "metadata": {"level": 2.5},
            "verifier_func": "def validate(env, final_answer=None):\n    return 1\n",
            "verifier_id": "5e0f",
            "output_json_schema": {"type": "string"},
        }
    )
    w.fleet.import_single_task(task, project_key="both")
    w.fleet.import_single_task(task)


@case("update-a-task")
def _(w):
    w.fleet.update_task("imported", prompt="New", metadata={"level": 3})
    w.fleet.update_task("imported", verifier_code="def validate(env):\n    return 0\n")


@case("projects")
def _(w):
    # As `flt projects list` asks; the library has no call for it.
    w.fleet.client.request("GET", "/v1/tasks/projects")


@case("verify-without-an-answer")
def _(w):
    w.execution = verified(w.task, w.env).execution_id


@case("verify-by-keyword")
def _(w):
    verified(w.task, w.env, final_answer="Priya Raman")


@case("verify-by-position")
def _(w):
    verified(w.task, w.env, "Priya Raman")


@case("resources")
def _(w):
    w.env.instance.load()


@case("health")
def _(w):
    w.env.instance.manager_health_check()


@case("describe")
def _(w):
    w.env.db("seed").describe()


@case("query")
def _(w):
    w.env.db().query("SELECT id, status FROM tickets WHERE id = ?", [2])
    w.env.db().query("SELECT COUNT(*) FROM tickets")
    w.env.db().exec("UPDATE tickets SET priority = ? WHERE id = ?", ["low", 2])


@case("query-builder")
def _(w):
    table = w.env.db().table("tickets")
    table.eq("status", "open").sort("id").limit(2).all()
    table.in_("id", [1, 2]).count()
    table.is_null("assignee_id").first()


@case("diff")
def _(w):
    seed, current = w.env.db("seed"), w.env.db("current")
    for ignore in (None, IgnoreConfig(tables={"activity"}, fields={"updated_at"}, table_fields={"tickets": {"priority"}})):
        try:
            seed.diff(current, ignore).expect_exactly([])
        except AssertionError:
            pass


@case("reset")
def _(w):
    w.env.reset()
    w.env.reset(seed=7, timestamp=1700000000)


@case("file-diff")
def _(w):
    w.env.fs().diff()


@case("files")
def _(w):
    fs = w.env.fs()
    fs.file("/notes.txt")
    fs.file("/notes.txt", include_content=False, max_content_size=10)
    fs.file_text("/notes.txt")


@case("documents")
def _(w):
    fs = w.env.fs()
    fs.doc_text("/report.pdf")
    fs.doc_metadata("/report.pdf")
    fs.doc_structured("/report.pdf")


@case("browser")
def _(w):
    # Made by hand: an instance without a browser lists none. With one that does not start, the SDK would ask for ever.
    resource = Resource(name="cdp", type="cdp", mode="rw")
    manager = w.env.instance.client
    browser = Awaited(AsyncBrowserResource(resource, bare(manager))) if ASYNC else BrowserResource(resource, manager)
    browser.start(width=800, height=600)


@case("apps")
def _(w):
    env = w.fleet.make("office", run_id=RUN)
    env.app("mail").resources()
    env.app("mail").db("current").query("SELECT COUNT(*) FROM letters")
    env.app("notes").reset()
    env.close()


@case("execute-a-function")
def _(w):
    w.env.verify_raw("def check(before, after, transcript=None):\n    return 1\n", "check")


@case("trace-jobs")
def _(w):
    w.job = w.fleet.trace_job("nightly")
    w.fleet.trace_job()


@case("session-of-logs")
def _(w):
    session = w.fleet.start_session(
        job_id=w.job, config={"temperature": 0}, model="acme/agent-1", task_key=TASK, instance_id=w.env.instance_id
    )
    history = [{"role": "user", "content": "Close ticket 2."}]
    answer = {"role": "assistant", "content": "done", "tool_calls": [{"id": "c1"}]}
    session.log(history, answer)
    session.log([*history, answer, {"role": "user", "content": "Sure?"}], {"role": "assistant", "content": "yes"})
    session.complete(verifier_execution_id=w.execution)
    w.session = session.session_id


@case("session-that-fails")
def _(w):
    session = w.fleet.start_session(model="acme/agent-1")
    session.log([{"role": "user", "content": "x"}], None)
    session.fail()


@case("session-of-messages")
def _(w):
    made = w.fleet.create_session(
        model="acme/agent-1", task_key=TASK, job_id=w.job, instance_id=w.env.instance_id, metadata={"a": 1}, started_at="2026-11-16T08:00:00"
    )
    w.fleet.append_message(made.session_id, {"role": "user", "content": "Close ticket 2.", "tokens": 5})
    w.fleet.append_message(made.session_id, {"role": "tool", "content": "ok", "tool_call_id": "c1", "metadata": {"m": 1}})
    w.fleet.complete_session(made.session_id, status="failed", ended_at="2026-11-16T09:00:00", final_message={"role": "assistant", "content": "bye"})


@case("sessions-of-a-job")
def _(w):
    w.fleet.list_job_sessions(w.job)


@case("transcript")
def _(w):
    w.fleet.get_session_transcript(w.session)


@case("jobs", only_sync=True)
def _(w):
    w.fleet.list_jobs()
    w.fleet.list_jobs(team_id="t")


@case("job", only_sync=True)
def _(w):
    w.fleet.get_job(w.job)
    w.fleet.get_job(w.job, team_id="t")


@case("create-a-job", only_sync=True)
def _(w):
    w.fleet.create_job(models=["acme/agent-1"], project_key="helpdesk")


@case("create-a-job-with-everything", only_sync=True)
def _(w):
    w.fleet.create_job(
        models=["acme/agent-1", "acme/agent-2"],
        name="n-{i}",
        pass_k=2,
        task_keys=[TASK],
        excluded_task_keys=["helpdesk-count-urgent"],
        max_steps=9,
        max_duration_minutes=5,
        max_concurrent_per_model=1,
        mode="tool-use",
        system_prompt="Be brief.",
        model_prompts={"acme/agent-1": "Be very brief."},
        byok_ttl_minutes=10,
        harness="h",
    )


@case("summary-of-a-job")
def _(w):
    # As `flt jobs oversight` asks; the library has no call for it.
    fleet.cli._run_oversight(w.job, "acme/reader-1")


@case("raw-log")
def _(w):
    log = pathlib.Path.home() / "traffic.jsonl"
    log.write_text(json.dumps({"type": "http", "request": {"method": "POST"}}) + "\n")

    async def upload():
        uploader = TrafficUploader(w.job, log)
        await uploader.start()
        await uploader.stop()

    asyncio.run(upload())


@case("stored-login")
def _(w):
    # Its access token has ended; of a server with a key, that key refreshes it.
    stored = pathlib.Path.home() / ".fleet" / "credentials.json"
    stored.parent.mkdir()
    team = w.fleet.account().team_id
    key = os.environ.pop("FLEET_API_KEY")
    stored.write_text(json.dumps({"access_token": "ended", "refresh_token": key, "team_id": team}))
    client().account()
    os.environ["FLEET_API_KEY"] = key


@case("grade-by-text")
def _(w):
    w.env.judge.grade("One point for a greeting.", "Hello")


@case("grade-by-criteria")
def _(w):
    w.env.judge.grade(
        Rubric([Criterion("Done", max=2, levels={2: "closed", 0: "open"})]),
        "I closed it.",
        ground_truth={"status": "closed"},
        problem="Close ticket 2.",
        context="Ticket 2 is open.",
        reference_claims="It was closed.",
        conversation=[{"role": "user", "content": "hi"}],
        images={"plot": Image.from_url("https://example.com/a.png")},
        files={"data": File.from_base64("YQ==", "a.csv")},
        model="m",
        provider="p",
        task_id=TASK,
        max_turns=5,
        agentic=True,
        collect={"logs": ["*.log"]},
    )


@case("close")
def _(w):
    w.fleet.close(w.env.instance_id)


@case("close-all")
def _(w):
    w.fleet.close_all(run_id=RUN)
    w.fleet.close_all(run_id=RUN, profile_id="self")


def main():
    world = World()
    for name, function in CASES.items():
        try:
            world.fleet.environment(f"case-{name}")
        except REFUSALS:
            pass
        try:
            function(world)
        except REFUSALS as error:
            # Both sides are answered alike; what each makes of it is no matter of this test.
            print(name, type(error).__name__, error, file=sys.stderr)
    print("done")


main()
