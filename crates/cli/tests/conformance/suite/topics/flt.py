"""The command line `flt`, run as a person runs it."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import fleet

from .. import calls
from ..cases import SYNC, case
from ..checks import equal, that
from ..desk import RAISE_PRIORITY, TICKET_OWNER

_FOLDER = pathlib.Path(__file__).parents[2] / "flt"


def _flt(command, *arguments, expected=0, **variables):
    """What the command printed; the test fails if it ends otherwise than expected."""
    program = pathlib.Path(sys.executable).with_name("flt")
    # What is printed is cut to the width of a terminal, if there is one; here there is room for any line.
    settings = {**os.environ, "COLUMNS": "4000", "NO_COLOR": "1", "TERM": "dumb", **variables}
    settings = {name: value for name, value in settings.items() if value is not None}
    done = subprocess.run([program, *command.split(), *arguments], env=settings, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=100)
    if done.returncode != expected:
        raise AssertionError(f"flt {command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    calls.note(f"flt.{command.replace(' ', '/')}")
    return done.stdout


def _session(job, text="Raised."):
    session = fleet.session(job_id=job, model="acme/agent-1", task_key=RAISE_PRIORITY)
    session.log([{"role": "user", "content": "Raise it."}], {"role": "assistant", "content": text})
    session.complete()
    return session.session_id


@case("flt.jobs/list flt.jobs/get", only=SYNC)
async def jobs_are_listed_and_read(sdk):
    job = fleet.job("from-flt")
    that("in the table", job in _flt("jobs list"))
    listed = {entry["id"]: entry for entry in json.loads(_flt("jobs list", "--json"))}
    equal("as JSON", listed[job]["name"], "from-flt")
    that("one", "from-flt" in _flt("jobs get", job))
    equal("one as JSON", json.loads(_flt("jobs get", job, "--json"))["id"], job)


@case("flt.jobs/sessions flt.sessions/transcript", only=SYNC)
async def sessions_are_listed_and_read(sdk):
    job = fleet.job("with-sessions")
    session = _session(job)
    shown = _flt("jobs sessions", job)
    that("in the table", session in shown and RAISE_PRIORITY in shown)
    listed = json.loads(_flt("jobs sessions", job, "--json"))
    equal("as JSON", [entry["session_id"] for group in listed["tasks"] for entry in group["sessions"]], [session])
    shown = _flt("sessions transcript", session)
    that("what was said", "Raise it." in shown and "Raised." in shown and "(2 messages)" in shown)
    read = json.loads(_flt("sessions transcript", session, "--json"))
    equal("as JSON", [message["role"] for message in read["transcript"]], ["user", "assistant"])


@case("flt.jobs/oversight", only=SYNC, remark="`harness local` has no model that summarises; the case sees that it says so")
async def no_summary_is_written(sdk):
    that("the refusal is shown", "Oversight API returned 501" in _flt("jobs oversight", fleet.job("to-summarise")))


@case("flt.projects/list", only=SYNC)
async def projects_are_listed(sdk):
    shown = _flt("projects list")
    that("in the table", "helpdesk" in shown and "helpdesk-python" in shown)
    keys = {project["project_key"] for project in json.loads(_flt("projects list", "--json"))["projects"]}
    that("as JSON", {"helpdesk", "helpdesk-python"} <= keys)


@case("flt.jobs/create", only=SYNC, remark="`harness local` runs no jobs; the case sees that it says so, as an error")
async def jobs_that_nobody_runs_are_refused(sdk):
    shown = _flt("jobs create", "-m", "acme/agent-1", "-t", TICKET_OWNER, "--name", "mine", expected=1)
    that(f"a job: {shown}", "Error creating job" in shown)
    shown = _flt("eval run", "-p", "helpdesk", "-m", "acme/agent-1", "--no-watch", expected=1)
    that(f"an evaluation: {shown}", "Error creating job" in shown)


@case("flt.eval/run", only=SYNC)
async def an_agent_is_evaluated_on_this_machine(sdk):
    path = f"{_FOLDER / 'bin'}{os.pathsep}{os.environ['PATH']}"
    before = {job.id for job in fleet.get_client().list_jobs()}
    shown = _flt("eval run", "-t", RAISE_PRIORITY, "-m", "acme/agent-1", "--local", str(_FOLDER / "agent"), "--json", PATH=path)
    result = json.loads(shown[shown.index("[\n"):])
    (only,) = result
    equal("the result", (only["task_key"], only["completed"], only["verification_success"], only["verification_score"], only["error"]),
          (RAISE_PRIORITY, True, True, 1.0, None))
    (job,) = {job.id for job in fleet.get_client().list_jobs()} - before
    (group,) = fleet.get_client().list_job_sessions(job).tasks
    (session,) = group.sessions
    equal("its session", (session.status, session.verifier_execution.score, group.passed_sessions), ("completed", 1.0, 1))
    equal("nothing runs any more", fleet.env.account().instance_count, 0)


@case("flt.whoami flt.logout", only=SYNC)
async def the_login_is_shown_and_forgotten(sdk):
    that("the key", "API key" in _flt("whoami"))
    with tempfile.TemporaryDirectory() as home:
        that("nobody", "Not authenticated" in _flt("whoami", HOME=home, FLEET_API_KEY=None))
        that("nothing to forget", "Not logged in" in _flt("logout", HOME=home, FLEET_API_KEY=None))
