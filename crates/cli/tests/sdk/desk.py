"""What the scripts share: the tasks they do, the app's HTTP API, and checks that say what they saw."""

import json
import urllib.request

# One task for each kind of verifier, and one whose score hangs on the answer alone.
RAISE_PRIORITY = "helpdesk-raise-priority"  # native: ticket 3, and only that one, becomes `high`
LIST_SHIPPING = "helpdesk-list-shipping"  # Python: an internal comment on ticket 42, and a number as answer
TICKET_OWNER = "helpdesk-ticket-owner"  # native: the answer, and nothing changed
KEYS = [RAISE_PRIORITY, LIST_SHIPPING, TICKET_OWNER]

TICKETS = 42  # in the seed `default`


def check(what, actual, expected):
    """Fails unless both are equal; says what was found either way."""
    if actual != expected:
        raise AssertionError(f"{what}: expected {expected!r}, found {actual!r}")
    print(f"ok  {what}: {actual!r}")


def check_that(what, holds):
    if not holds:
        raise AssertionError(what)
    print(f"ok  {what}")


def check_response(what, response, score):
    """A verification that ran and gave this score."""
    if not response.success:
        raise AssertionError(f"{what}: the verifier did not run: {response.error}")
    result = response.result
    found = result["score"] if isinstance(result, dict) else result
    check(what, float(found), float(score))
    check_that(f"{what}: has an execution id", bool(response.execution_id))


def request(method, url, body=None):
    """The status, the content type, and the body: parsed if it is JSON."""
    data = None if body is None else json.dumps(body).encode()
    call = urllib.request.Request(url, data=data, method=method, headers={"Content-Type": "application/json"})
    # Loopback needs no proxy, whatever the machine is set to.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(call, timeout=30) as answer:
        kind = answer.headers.get_content_type()
        text = answer.read().decode()
        return answer.status, kind, json.loads(text) if kind == "application/json" else text


def raise_priority(env, ticket=3):
    """Does the task RAISE_PRIORITY through the app, as an agent would."""
    request("PATCH", f"{env.urls.app[0]}api/tickets/{ticket}", {"priority": "high"})


def list_shipping(env):
    """Does the task LIST_SHIPPING through the app; the answer that belongs to it."""
    app = env.urls.app[0]
    _, _, page = request("GET", f"{app}api/tickets?category=shipping&status=open&per_page=100")
    numbers = sorted(ticket["id"] for ticket in page["tickets"])
    text = "Open shipping tickets: " + ", ".join(map(str, numbers))
    request("POST", f"{app}api/tickets/42/comments", {"body": text, "visibility": "internal"})
    return str(len(numbers))


def check_pages(env):
    """Every URL that the record names for people and programs answers."""
    status, kind, _ = request("GET", env.urls.root)
    check("the root URL shows a page", (status, kind), (200, "text/html"))
    status, _, page = request("GET", f"{env.urls.app[0]}api/tickets?per_page=1")
    check("the app's URL answers", (status, page["total"]), (200, TICKETS))
    status, _, resources = request("GET", f"{env.urls.manager.api}/resources")
    check("the manager's URL answers", (status, sorted(entry["name"] for entry in resources if entry["type"] == "sqlite")), (200, ["current", "seed"]))


def refused(what, error, call, **attributes):
    """The error of this class that the call raises; anything else fails."""
    try:
        call()
    except error as found:
        _check_error(what, found, attributes)
        return
    raise AssertionError(f"{what}: no {error.__name__} was raised")


async def refused_async(what, error, call, **attributes):
    try:
        await call()
    except error as found:
        _check_error(what, found, attributes)
        return
    raise AssertionError(f"{what}: no {error.__name__} was raised")


def _check_error(what, found, attributes):
    print(f"ok  {what}: {type(found).__name__}: {found}")
    for name, value in attributes.items():
        check(f"{what}: {name}", getattr(found, name), value)
