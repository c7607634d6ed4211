"""`flt eval run`, with an agent of this machine and with models of the service."""

import json
import os
import pathlib

import fleet

from ..cases import SYNC, case
from ..checks import equal, that
from ..command import flt, written_summary
from ..desk import CLOSE_SOLVED

_TESTS = pathlib.Path(__file__).parents[3]

# The folder that `harness run` runs unchanged, in the tests of the whole program.
_AGENT = _TESTS / "flt-agent"


@case("flt.eval/run", only=SYNC)
async def an_agent_is_evaluated_on_this_machine(sdk):
    path = f"{_TESTS / 'conformance' / 'flt' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    before = {job.id for job in fleet.get_client().list_jobs()}
    shown = flt("eval run", "-t", CLOSE_SOLVED, "-m", "acme/agent-1", "--local", str(_AGENT), "--json", PATH=path)
    result = json.loads(shown[shown.index("[\n"):])
    (only,) = result
    equal("the result", (only["task_key"], only["completed"], only["verification_success"], only["verification_score"], only["error"]),
          (CLOSE_SOLVED, True, True, 1.0, None))
    (job,) = {job.id for job in fleet.get_client().list_jobs()} - before
    (group,) = fleet.get_client().list_job_sessions(job).tasks
    (session,) = group.sessions
    equal("its session", (session.status, session.verifier_execution.score, group.passed_sessions), ("completed", 1.0, 1))
    said = fleet.get_client().get_session_transcript(session.session_id).transcript
    equal("what it said", [message.role for message in said], ["user", "assistant", "tool", "assistant"])
    # Begun for the job at its end, as without `--json`.
    shown = flt("eval run", "-t", CLOSE_SOLVED, "-m", "acme/agent-1", "--local", str(_AGENT), "--oversight", PATH=path)
    summary = await written_summary(shown)
    that("what it was shown", "1 passed" in summary["text"] and CLOSE_SOLVED in summary["text"])
    equal("nothing runs any more", fleet.env.account().instance_count, 0)
