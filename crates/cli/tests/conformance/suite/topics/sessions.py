"""Logs of agents' work: trace jobs, sessions, transcripts."""

import dataclasses
import datetime
import enum
import pathlib
import uuid

import fleet

from ..cases import case
from ..checks import equal, now, scored, that
from ..desk import RAISE_PRIORITY, raise_priority

ASK, ANSWER = {"role": "user", "content": "Raise it."}, {"role": "assistant", "content": "Done."}


async def _transcript(sdk, session_id):
    return await now(sdk.client().get_session_transcript(session_id))


def _said(transcript):
    return [(message.role, message.content) for message in transcript.transcript]


async def _session(sdk, job, session_id):
    """The entry of a session in its job."""
    listed = await now(sdk.client().list_job_sessions(job))
    equal("the job", listed.job_id, job)
    equal("sessions are counted", listed.total_sessions, sum(group.total_sessions for group in listed.tasks))
    found = [(group, session) for group in listed.tasks for session in group.sessions if session.session_id == session_id]
    that("the session is in its job, once", len(found) == 1)
    return found[0]


@case("fleet.job Fleet.trace_job Fleet.list_job_sessions")
async def a_trace_job_is_made(sdk):
    name = sdk.unique("trace")
    for job in (await now(sdk.fleet("job")(name)), await now(sdk.client().trace_job(name)), await now(sdk.fleet("job")())):
        listed = await now(sdk.client().list_job_sessions(job))
        equal("it is empty", (listed.job_id, listed.total_sessions, listed.tasks), (job, 0, []))


@case("fleet.session Fleet.start_session Session.log Session.complete Session.message_count Fleet.get_session_transcript "
      "Fleet.list_job_sessions")
async def a_session_is_logged_call_by_call_and_completed(sdk):
    job, task = await now(sdk.fleet("job")(sdk.unique("log"))), await sdk.load_task(RAISE_PRIORITY)
    for start in (sdk.fleet("session"), sdk.client().start_session):
        env = await now(task.make())
        session = start(job_id=job, config={"temperature": 0.5}, model="acme/agent-1", task_key=task.key, instance_id=env.instance_id)
        history = [dict(ASK)]
        first = await now(session.log(history, dict(ANSWER)))
        equal("the first log makes it", (first.success, first.created_new_session, first.session_id), (True, True, session.session_id))
        history += [dict(ANSWER), {"role": "user", "content": "Sure?"}]
        second = await now(session.log(history, {"role": "assistant", "content": "Yes."}))
        equal("the second does not", (second.session_id, second.created_new_session), (session.session_id, False))
        equal("the messages so far", session.message_count, 4)
        nothing = await now(session.log(history + [{"role": "assistant", "content": "Yes."}], None))
        equal("nothing new is not sent", nothing.message_count, 4)
        await raise_priority(env)
        verify = task.verify_detailed if sdk.sync else task.verify_detailed_async
        response = await now(verify(env))
        scored("the work", response, 1)
        await now(session.complete(verifier_execution_id=response.execution_id))
        await now(env.close())

        found = await _transcript(sdk, session.session_id)
        equal("what was said", _said(found),
              [("user", "Raise it."), ("assistant", "Done."), ("user", "Sure?"), ("assistant", "Yes.")])
        equal("the task", (found.task.key, found.task.env_id), (task.key, "helpdesk"))
        equal("the instance", found.instance.instance_id, env.instance_id)
        equal("the verification", (found.verifier_execution.success, found.verifier_execution.score), (True, 1.0))
        group, entry = await _session(sdk, job, session.session_id)
        equal("listed", (entry.status, entry.model, entry.verifier_execution.score), ("completed", "acme/agent-1", 1.0))
        equal("its group", (group.task.key, group.passed_sessions, group.pass_rate), (task.key, group.total_sessions, 1.0))
        that("when it ended", entry.ended_at)


@case("Session.log Session.fail")
async def a_session_is_failed(sdk):
    job = await now(sdk.fleet("job")())
    session = sdk.fleet("session")(job_id=job, model="acme/agent-1")
    await now(session.log([dict(ASK)], "I cannot."))
    await now(session.fail())
    group, entry = await _session(sdk, job, session.session_id)
    equal("listed", (entry.status, entry.verifier_execution), ("failed", None))
    equal("none passed", (group.passed_sessions, group.pass_rate), (0, 0.0))
    equal("what was said", _said(await _transcript(sdk, session.session_id))[0], ("user", "Raise it."))


@case("fleet.session Session.log")
async def a_session_is_taken_up_again_by_its_id(sdk):
    job = await now(sdk.fleet("job")())
    first = sdk.fleet("session")(job_id=job, model="acme/agent-1")
    await now(first.log([dict(ASK)], dict(ANSWER)))
    again = sdk.fleet("session")(session_id=first.session_id)
    answer = await now(again.log([{"role": "user", "content": "And now?"}], {"role": "assistant", "content": "Still."}))
    equal("the same", (answer.session_id, answer.created_new_session, answer.message_count), (first.session_id, False, 4))
    await now(again.complete())
    equal("all was said", len(_said(await _transcript(sdk, first.session_id))), 4)


@dataclasses.dataclass
class _Part:
    kind: str
    text: str


class _Role(enum.Enum):
    USER = "user"


class _Plain:
    def __init__(self):
        self.role, self.content, self._hidden = "user", "plain", 1


@case("Session.log")
async def messages_of_any_kind_are_logged(sdk):
    session = sdk.fleet("session")(config=_Part("config", "x"), model="acme/agent-1")
    history = [
        {"role": "user", "content": [{"type": "text", "text": "Look:"}, {"type": "image_url", "image_url": {"url": "data:,x"}}]},
        {"role": _Role.USER, "content": {"when": datetime.date(2026, 11, 16), "id": uuid.UUID(int=7), "at": pathlib.Path("/a")}},
        {"role": "user", "parts": [_Part("text", "a part"), b"bytes", {1.5}]},
        _Plain(),
        "a text alone",
    ]
    call = {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "function": {"name": "click", "arguments": "{}"}}]}
    answer = await now(session.log(history, call))
    equal("all were taken", (answer.success, answer.message_count), (True, 6))
    await now(session.log(history + [call, {"role": "tool", "tool_call_id": "c1", "content": "ok"}], fleet.Criterion("c", 1)))
    await now(session.complete())
    found = await _transcript(sdk, session.session_id)
    equal("as many as were said", len(found.transcript), 8)
    equal("a list stays one", found.transcript[0].content[0], {"type": "text", "text": "Look:"})
    equal("calls of tools", found.transcript[5].tool_calls[0]["function"]["name"], "click")
    equal("their answers", (found.transcript[6].role, found.transcript[6].tool_call_id), ("tool", "c1"))


@case("Fleet.create_session Fleet.append_message Fleet.complete_session Fleet.get_session_transcript")
async def a_session_is_written_message_by_message(sdk):
    client, job = sdk.client(), await now(sdk.fleet("job")())
    async with sdk.instance() as env:
        made = await now(client.create_session(
            model="acme/agent-1", task_key=RAISE_PRIORITY, job_id=job, instance_id=env.instance_id, metadata={"try": 1},
            started_at="2026-11-16T08:00:00", initial_message=dict(ASK)))
        equal("made", (made.success, made.created_new_session, made.message_count), (True, True, 1))
        _, entry = await _session(sdk, job, made.session_id)
        equal("it runs", (entry.status, entry.started_at[:19]), ("running", "2026-11-16T08:00:00"))
        told = await now(client.append_message(made.session_id, {
            **ANSWER, "tool_calls": [{"id": "c1", "function": {"name": "click"}}], "tokens": 7, "metadata": {"a": 1}}))
        equal("appended", (told.session_id, told.created_new_session), (made.session_id, False))
        await now(client.append_message(made.session_id, {"role": "tool", "tool_call_id": "c1", "content": "ok"}))
        ended = await now(client.complete_session(made.session_id, final_message={"role": "assistant", "content": "Bye."},
                                                  ended_at="2026-11-16T08:30:00"))
        equal("completed", (ended.success, ended.message_count), (True, 4))
        _, entry = await _session(sdk, job, made.session_id)
        equal("it ended", (entry.status, entry.ended_at[:19]), ("completed", "2026-11-16T08:30:00"))
        equal("its instance", entry.instance.instance_id, env.instance_id)
    found = await _transcript(sdk, made.session_id)
    equal("what was said", _said(found), [("user", "Raise it."), ("assistant", "Done."), ("tool", "ok"), ("assistant", "Bye.")])
    equal("calls of tools", (found.transcript[1].tool_calls[0]["id"], found.transcript[2].tool_call_id), ("c1", "c1"))


@case("Fleet.create_session Fleet.append_message Fleet.complete_session")
async def a_session_ends_in_every_way(sdk):
    client, job = sdk.client(), await now(sdk.fleet("job")())
    for status in ("completed", "failed", "cancelled"):
        made = await now(client.create_session(job_id=job, model="acme/agent-1"))
        await now(client.complete_session(made.session_id, status=status))
        equal(status, (await _session(sdk, job, made.session_id))[1].status, status)
        equal("words of the SDK itself", _said(await _transcript(sdk, made.session_id)),
              [("system", "[session created]"), ("system", f"[session {status}]")])
    made = await now(client.create_session(job_id=job, model="acme/agent-1"))
    await now(client.append_message(made.session_id, dict(ANSWER), status="failed", ended_at="2026-11-16T09:00:00"))
    equal("by a message", (await _session(sdk, job, made.session_id))[1].status, "failed")
