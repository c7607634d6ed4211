"""The demo environment as an agent sees it: its HTTP API, and what its tasks ask for."""

import asyncio
import json
import urllib.request

from . import checks

# One task for each kind of verifier, and one whose score hangs on the answer alone.
RAISE_PRIORITY = "helpdesk-raise-priority"  # native: ticket 3, and only that one, becomes `high`
LIST_SHIPPING = "helpdesk-list-shipping"  # Python: an internal comment on ticket 42, and a number as answer
CLOSE_SOLVED = "helpdesk-close-solved"  # native: ticket 5, and only that one, becomes `closed`
TICKET_OWNER = "helpdesk-ticket-owner"  # native: the answer, and nothing changed
KEYS = [RAISE_PRIORITY, LIST_SHIPPING, TICKET_OWNER]

TICKETS = 42  # in the seed `default`


async def request(method, url, body=None, headers=()):
    """The status, the content type, and the body: parsed if it is JSON."""
    return await asyncio.to_thread(_request, method, url, body, dict(headers))


def _request(method, url, body, headers):
    data = None if body is None else json.dumps(body).encode()
    call = urllib.request.Request(url, data=data, method=method, headers={"Content-Type": "application/json", **headers})
    # Loopback needs no proxy, whatever the machine is set to.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(call, timeout=30) as answer:
        kind = answer.headers.get_content_type()
        text = answer.read().decode()
        return answer.status, kind, json.loads(text) if kind == "application/json" else text


async def raise_priority(env, ticket=3):
    """Does the task RAISE_PRIORITY through the app, as an agent would."""
    await request("PATCH", f"{env.urls.app[0]}api/tickets/{ticket}", {"priority": "high"})


async def list_shipping(env):
    """Does the task LIST_SHIPPING through the app; the answer that belongs to it."""
    app = env.urls.app[0]
    _, _, page = await request("GET", f"{app}api/tickets?category=shipping&status=open&per_page=100")
    numbers = sorted(ticket["id"] for ticket in page["tickets"])
    text = "Open shipping tickets: " + ", ".join(map(str, numbers))
    await request("POST", f"{app}api/tickets/42/comments", {"body": text, "visibility": "internal"})
    return str(len(numbers))


async def pages_answer(env):
    """Every URL that the record names for people and programs answers."""
    status, kind, _ = await request("GET", env.urls.root)
    checks.equal("the root URL shows a page", (status, kind), (200, "text/html"))
    status, _, page = await request("GET", f"{env.urls.app[0]}api/tickets?per_page=1")
    checks.equal("the app's URL answers", (status, page["total"]), (200, TICKETS))
    status, _, resources = await request("GET", f"{env.urls.manager.api}/resources")
    checks.equal("the manager's URL answers", status, 200)
    checks.that("the manager names the databases", {"current", "seed"} <= {entry["name"] for entry in resources})
