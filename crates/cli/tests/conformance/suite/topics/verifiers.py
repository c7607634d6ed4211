"""Verifiers: made of functions and of source, executed here and by the server."""

from ..cases import case
from ..checks import equal, now, raises, scored, that

SOURCE = '''def count_tickets(env, expected=0, final_answer=None):
    env.instance.load()
    found = env.db("current").table("tickets").count()
    print(found, "tickets")
    return 1.0 if found == expected else 0.0
'''


@case("fleet.tasks.verifier_from_string Verifier.remote Verifier.remote_with_response Env.check_bundle_exists "
      "Env.execute_verifier_remote Fleet.check_bundle_exists")
async def source_is_executed_by_the_server(sdk):
    env = await sdk.shared()
    verifier = sdk.tasks.verifier_from_string(SOURCE, "some-id", sdk.unique("count"))
    verifier._bundle_sha = None
    equal("the score", await now(verifier.remote(env, 42)), 1.0)
    equal("another score", await now(verifier.remote(env, 41)), 0.0)
    response = await now(verifier.remote_with_response(env, expected=42))
    scored("by name", response, 1)
    that("what it printed", "42 tickets" in response.stdout)
    equal("whose it is", response.key, verifier.key)
    sha = verifier._get_or_create_bundle()[1]
    equal("the bundle is there", (await now(sdk.client().check_bundle_exists(sha))).success, True)
    equal("the same of the instance", (await now(env.check_bundle_exists(sha))).success, True)
    equal("another is not", (await now(env.check_bundle_exists("0" * 64))).success, False)
    again = await now(env.execute_verifier_remote(
        bundle_data=b"", bundle_sha=sha, key=verifier.key, function_name="count_tickets", args=(42, {"env": env.instance_id}),
        args_array=[42, {"env": env.instance_id}], kwargs={}, needs_upload=False))
    scored("without its bundle", again, 1)
    equal("it was kept", again.bundle_cache_hit, True)


@case("fleet.verifier Verifier.remote_with_response")
async def a_decorated_function_is_executed_here_and_there(sdk):
    env = await sdk.shared()
    verifier = sdk.fleet("verifier")

    if sdk.sync:
        @verifier(key="tickets-here")
        def count_tickets(env, expected):
            return 1.0 if env.db().table("tickets").count() == expected else 0.0
    else:
        @verifier(key="tickets-here")
        async def count_tickets(env, expected):
            return 1.0 if await env.db().table("tickets").count() == expected else 0.0

    equal("here", await now(count_tickets(env, 42)), 1.0)
    equal("another score here", await now(count_tickets(env, 41)), 0.0)

    # What runs at the server has the synchronous half there, in both flavours.
    there = verifier(key="tickets-there", raw_code=SOURCE)(_count_tickets)
    scored("there", await now(there.remote_with_response(env, 42)), 1)


def _count_tickets(env, expected=0, final_answer=None):
    """What the source above is."""


_count_tickets.__name__ = "count_tickets"


@case("Verifier.remote_with_response Verifier.remote")
async def a_verifier_that_breaks_has_no_score(sdk):
    env = await sdk.shared()
    source = "def verify_nothing(env, final_answer=None):\n    print('so far')\n    raise LookupError('no such row')\n"
    verifier = sdk.tasks.verifier_from_string(source, "broken-id", "broken")
    broken = await now(verifier.remote_with_response(env, final_answer="x"))
    equal("no result", (broken.success, broken.result), (False, None))
    equal("what it raised", (broken.error["type"], "no such row" in broken.error["message"]), ("LookupError", True))
    that("what it printed before", "so far" in broken.stdout)
    await raises("the score alone", RuntimeError, lambda: verifier.remote(env))


@case("Fleet.execute_verifier_remote", broken="the client's own form passes too few arguments on: `TypeError` before any request; the form of `env` works")
async def the_client_s_form_cannot_be_called(sdk):
    await raises("the call", TypeError, lambda: sdk.client().execute_verifier_remote(b"", (), {}))
