"""The official SDK's verdicts: reads one case a line, answers one line."""

import contextlib
import io
import json
import sys

from fleet import Fleet

answers, sys.stdout = sys.stdout, sys.stderr
fleet = Fleet(api_key="unused", base_url="http://127.0.0.1:1", max_retries=0)


def value(given):
    return ... if isinstance(given, dict) and given.get("any") is True else given


def change(given):
    change = dict(given)
    for name in ("fields", "resulting_fields"):
        if change.get(name) is not None:
            change[name] = [(field, value(expected)) for field, expected in change[name]]
    return change


def verdict(case):
    env = fleet.instance(case["url"])
    env.instance.load()
    diff = env.db("seed").diff(env.db("current"), use_structured_diff=case["structured"])
    changes = [change(given) for given in case["changes"]]
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            getattr(diff, case["helper"])(changes)
    except AssertionError as error:
        return {"passes": False, "says": str(error)}
    # It says so when it computes the difference itself, and would then be asked about something else than it should.
    if "Warning" in said.getvalue() and case["structured"]:
        return {"error": said.getvalue()}
    return {"passes": True, "says": ""}


for line in sys.stdin:
    try:
        answer = verdict(json.loads(line))
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), file=answers, flush=True)
