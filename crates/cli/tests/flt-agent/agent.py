"""An agent as people write them for `flt eval run --local`: it reads FLEET_*, works through MCP, logs its own session and ends with a
line of JSON. Its model is a list of steps. Nothing in here knows what runs it."""

import json
import os
import sys
import time
import urllib.request

import fleet

MCP = os.environ["FLEET_MCP_URL"] + "/mcp/"
PROMPT = os.environ["FLEET_TASK_PROMPT"]
TASK = os.environ["FLEET_TASK_KEY"]
VERBOSE = os.environ.get("FLEET_VERBOSE", "false") == "true"
# What a model would decide; the last is what it says when it has nothing more to call.
PLAN = [("close_ticket", {"ticket_id": 5}), None]


class Tools:
    """The environment's tools, by JSON-RPC over HTTP."""

    def __init__(self):
        self.number = 0
        self.log = open(os.environ["FLEET_SESSION_LOG"], "a")
        self.ask("initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo={"name": "flt-agent", "version": "1"})
        self.names = [tool["name"] for tool in self.ask("tools/list")["tools"]]

    def ask(self, method, **params):
        self.number += 1
        body = {"jsonrpc": "2.0", "id": self.number, "method": method, "params": params}
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": "2025-06-18",
        }
        request = urllib.request.Request(MCP, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read().decode()
        if not text.startswith("{"):
            text = [line[5:] for line in text.splitlines() if line.startswith("data:")][-1]
        return json.loads(text)["result"]

    def call(self, name, arguments):
        begun = time.time()
        result = self.ask("tools/call", name=name, arguments=arguments)
        entry = {"type": "mcp_call", "tool": name, "args": arguments, "duration_ms": int(1000 * (time.time() - begun)),
                 "is_error": bool(result.get("isError")), "timestamp": begun, "url": MCP}
        self.log.write(json.dumps(entry) + "\n")
        self.log.flush()
        return " ".join(part.get("text", "") for part in result["content"])


def work():
    begun = time.time()
    tools = Tools()
    session = fleet.session(
        job_id=os.environ["FLEET_JOB_ID"],
        model=os.environ.get("FLEET_MODEL"),
        task_key=TASK,
        instance_id=os.environ["FLEET_INSTANCE_ID"],
    )
    history = [{"role": "user", "content": PROMPT}]
    steps = 0
    for step in PLAN[: int(os.environ["FLEET_MAX_STEPS"])]:
        steps += 1
        print(f"Step {steps}", flush=True)
        if step is None:
            response = {"role": "assistant", "content": "DONE: closed"}
            session.log(history, response)
            break
        name, arguments = step
        if name not in tools.names:
            raise RuntimeError(f"the environment has no tool {name}")
        response = {"role": "assistant", "content": None, "tool_calls": [{"id": f"c{steps}", "function": {"name": name, "arguments": arguments}}]}
        session.log(history, response)
        history.append(response)
        history.append({"role": "tool", "tool_call_id": f"c{steps}", "content": tools.call(name, arguments)})
    return {
        "task_key": TASK,
        "completed": True,
        "error": None,
        "final_answer": "closed",
        "steps_taken": steps,
        "execution_time_ms": int(1000 * (time.time() - begun)),
        "transcript": [],
        "session_id": session.session_id,
    }


if __name__ == "__main__":
    try:
        print(json.dumps(work()))
    except Exception as error:  # the runner reads no exit code, so the reason is in the result
        print(json.dumps({"task_key": TASK, "completed": False, "error": f"{type(error).__name__}: {error}"}))
    # What the runner of the vendor ignores, others must ignore too.
    sys.exit(1)
