"""The command line `flt`, run as a person runs it."""

import json
import os
import pathlib
import tempfile

import fleet

from ..cases import SYNC, case
from ..checks import equal, that
from ..command import flt, written_summary
from ..desk import RAISE_PRIORITY, TICKET_OWNER

def _session(job, text="Raised."):
    session = fleet.session(job_id=job, model="acme/agent-1", task_key=RAISE_PRIORITY)
    session.log([{"role": "user", "content": "Raise it."}], {"role": "assistant", "content": text})
    session.complete()
    return session.session_id


@case("flt.jobs/list flt.jobs/get", only=SYNC)
async def jobs_are_listed_and_read(sdk):
    job = fleet.job("from-flt")
    that("in the table", job in flt("jobs list"))
    listed = {entry["id"]: entry for entry in json.loads(flt("jobs list", "--json"))}
    equal("as JSON", listed[job]["name"], "from-flt")
    that("one", "from-flt" in flt("jobs get", job))
    equal("one as JSON", json.loads(flt("jobs get", job, "--json"))["id"], job)


@case("flt.jobs/sessions flt.sessions/transcript", only=SYNC)
async def sessions_are_listed_and_read(sdk):
    job = fleet.job("with-sessions")
    session = _session(job)
    shown = flt("jobs sessions", job)
    that("in the table", session in shown and RAISE_PRIORITY in shown)
    listed = json.loads(flt("jobs sessions", job, "--json"))
    equal("as JSON", [entry["session_id"] for group in listed["tasks"] for entry in group["sessions"]], [session])
    shown = flt("sessions transcript", session)
    that("what was said", "Raise it." in shown and "Raised." in shown and "(2 messages)" in shown)
    read = json.loads(flt("sessions transcript", session, "--json"))
    equal("as JSON", [message["role"] for message in read["transcript"]], ["user", "assistant"])


@case("flt.jobs/oversight", only=SYNC, remark="the judge of `harness local` writes the summary; without one it says so")
async def a_summary_is_written(sdk):
    job = fleet.job("to-summarise")
    that("of nothing", "Oversight API returned 400" in flt("jobs oversight", job))
    session = _session(job)
    shown = flt("jobs oversight", job)
    summary = await written_summary(shown)
    equal("of whom, by whom", (summary["job_id"], summary["model"], summary["session_count"]), (job, "anthropic/claude-sonnet-4", 1))
    that("it has read the session", session in summary["text"] and "Raised." in summary["text"])
    equal("asked again", await written_summary(flt("jobs oversight", job)), summary)
    other = await written_summary(flt("jobs oversight", job, "--model", "acme/reader-1"))
    that("another model writes another", other["summary_id"] != summary["summary_id"])


@case("flt.projects/list", only=SYNC)
async def projects_are_listed(sdk):
    shown = flt("projects list")
    that("in the table", "helpdesk" in shown and "helpdesk-python" in shown)
    keys = {project["project_key"] for project in json.loads(flt("projects list", "--json"))["projects"]}
    that("as JSON", {"helpdesk", "helpdesk-python"} <= keys)


@case("flt.jobs/create", only=SYNC, remark="`harness local` runs no jobs; the case sees that it says so, as an error")
async def jobs_that_nobody_runs_are_refused(sdk):
    shown = flt("jobs create", "-m", "acme/agent-1", "-t", TICKET_OWNER, "--name", "mine", expected=1)
    that(f"a job: {shown}", "Error creating job" in shown)
    shown = flt("eval run", "-p", "helpdesk", "-m", "acme/agent-1", "--no-watch", expected=1)
    that(f"an evaluation: {shown}", "Error creating job" in shown)


@case("flt.whoami flt.logout", only=SYNC)
async def the_login_is_shown_and_forgotten(sdk):
    that("the key", "API key" in flt("whoami"))
    with tempfile.TemporaryDirectory() as home:
        nobody = {"HOME": home, "FLEET_API_KEY": None}
        that("nobody", "Not authenticated" in flt("whoami", **nobody))
        that("nothing to forget", "Not logged in" in flt("logout", **nobody))


@case("flt.whoami flt.logout flt.projects/list", only=SYNC)
async def a_stored_login_is_refreshed_and_used(sdk):
    with tempfile.TemporaryDirectory() as home:
        credentials = pathlib.Path(home, ".fleet", "credentials.json")
        credentials.parent.mkdir()
        # Its access token has ended; of a server with a key, that key refreshes it.
        login = {"email": "ada@example.com", "access_token": "ended", "refresh_token": os.environ["FLEET_API_KEY"],
                 "team_id": fleet.env.account().team_id, "team_name": "Local", "expires_at": 0}
        credentials.write_text(json.dumps(login))
        stored = {"HOME": home, "FLEET_API_KEY": None}
        shown = flt("whoami", **stored)
        that(f"who: {shown}", "Browser login" in shown and "ada@example.com" in shown)
        that("refreshed", json.loads(credentials.read_text())["access_token"] != "ended")
        that("used", "helpdesk" in flt("projects list", **stored))
        that("forgotten", "Logged out" in flt("logout", **stored))
        that("nobody", "Not authenticated" in flt("whoami", **stored))
