#!/usr/bin/env python3
"""An agent for the help desk with nothing but Python's standard library.

It shows the whole agent contract: what comes in through the environment, how the app is used, what
is left behind, and which exit code says what. Where a real agent would ask a model what to do next,
this one has the function `decide`, which knows three kinds of request.
"""

import json
import os
import re
import sys
import time
import urllib.error
import urllib.request

EXIT_DONE = 0
EXIT_GAVE_UP = 1
# EX_TEMPFAIL: the environment was not there. The harness tries again in a fresh one, and the attempt
# does not count against the agent.
EXIT_TRY_AGAIN = 75


class GaveUp(Exception):
    """The agent cannot do what is asked for."""


class EnvironmentLost(Exception):
    """The app does not answer; nothing the agent could do about it."""


class Desk:
    """The app's JSON API. Counts its requests and writes each of them to the transcript."""

    def __init__(self, base_url, transcript):
        self.base_url = base_url.rstrip("/")
        self.transcript = transcript
        self.steps = 0
        # Environments are local or have an address of their own: a proxy has no business here.
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def call(self, method, path, body=None):
        self.steps += 1
        # Whatever an agent prints is kept in the trial's folder. Flushing makes it visible at once.
        print(f"STEP {self.steps}: {method} {path}", flush=True)
        request = urllib.request.Request(
            self.base_url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"content-type": "application/json"},
        )
        # A reading may be repeated; a change may have been made although its answer got lost.
        attempts = 3 if method == "GET" else 1
        for attempt in range(1, attempts + 1):
            try:
                with self.opener.open(request, timeout=20) as response:
                    answer = json.load(response)
                break
            except urllib.error.HTTPError as error:
                if error.code >= 500:
                    raise EnvironmentLost(f"{error.code} for {method} {path}") from error
                reason = json.load(error)["error"]["message"]
                raise GaveUp(f"the desk refused {method} {path}: {reason}") from error
            except (urllib.error.URLError, OSError) as error:
                if attempt == attempts:
                    raise EnvironmentLost(f"no answer to {method} {path}: {error}") from error
                time.sleep(0.2 * attempt)
        self.note(role="assistant", content=f"{method} {path}", body=body)
        self.note(role="tool", content=json.dumps(answer)[:4000])
        return answer

    def note(self, **line):
        if self.transcript:
            self.transcript.write(json.dumps(line) + "\n")
            self.transcript.flush()  # so that a killed agent leaves what it did


def decide(prompt, desk):
    """Does what the prompt asks for and returns the final answer."""
    if found := re.search(r"Who is the assignee of ticket (\d+)", prompt):
        ticket = desk.call("GET", f"/api/tickets/{found[1]}")
        return ticket["assignee"]["name"] if ticket["assignee"] else "nobody"
    if found := re.search(r"How many tickets with the priority (\w+) are open", prompt):
        answer = desk.call("GET", f"/api/tickets?status=open&priority={found[1]}&per_page=1")
        return str(answer["total"])
    if found := re.search(r"[Ss]et the status of ticket (\d+) to (\w+)", prompt):
        desk.call("PATCH", f"/api/tickets/{found[1]}", {"status": found[2]})
        return f"Ticket {found[1]} is {found[2]}."
    raise GaveUp("I do not understand what is asked for")


def main():
    prompt = os.environ.get("FLEET_TASK_PROMPT")
    app_url = os.environ.get("FLEET_APP_URL") or os.environ.get("FLEET_ENV_URL")
    if not prompt or not app_url:
        print("FLEET_TASK_PROMPT and FLEET_APP_URL are not set; start this with `harness run`", file=sys.stderr)
        return EXIT_GAVE_UP

    transcript_file = os.environ.get("HARNESS_TRANSCRIPT_FILE")
    transcript = open(transcript_file, "w", encoding="utf-8") if transcript_file else None
    desk = Desk(app_url, transcript)
    desk.note(role="user", content=prompt)

    result = {"completed": False}
    try:
        result["final_answer"] = decide(prompt, desk)
        result["completed"] = True
        exit_code = EXIT_DONE
    except GaveUp as error:
        result.update(error=str(error), error_kind="agent")
        exit_code = EXIT_GAVE_UP
    except EnvironmentLost as error:
        result.update(error=str(error), error_kind="infrastructure")
        exit_code = EXIT_TRY_AGAIN
    result["steps_taken"] = desk.steps

    # The file is the sure way. Without it, the last line on stdout that starts with "{" counts.
    result_file = os.environ.get("HARNESS_RESULT_FILE")
    if result_file:
        with open(result_file, "w", encoding="utf-8") as file:
            json.dump(result, file)
    else:
        print(json.dumps(result), flush=True)
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
