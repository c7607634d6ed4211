"""Environments with several apps, and requests to an app itself."""

from ..cases import case
from ..checks import equal, now, that


@case("Env.app Instance.load Instance.db Instance.reset Instance.resources")
async def each_app_has_a_manager_of_its_own(sdk):
    async with sdk.instance("office") as env:
        equal("two apps", len(env.urls.app), 2)
        notes, mail = env.app("notes"), env.app("mail")
        that("one handle an app", env.app("mail") is mail)
        for app in (notes, mail):
            await now(app.load())
            databases = [resource.name for resource in await now(app.resources()) if resource.type.value == "sqlite"]
            equal("its databases", sorted(databases), ["current", "seed"])
        equal("the notes", await now(notes.db("current").table("notes").count()), 2)
        equal("the letters", await now(mail.db("current").table("letters").count()), 3)
        equal("the main app is the environment's", await now(env.db().table("notes").count()), 2)

        await now(mail.db("current").exec("UPDATE letters SET read = 1"))
        equal("in the seed", await now(mail.db("seed").table("letters").eq("read", 1).count()), 0)
        before, after = await now(mail.db("seed").snapshot()), await now(mail.db("current").snapshot())
        read = [{"table": "letters", "pk": number, "type": "modify", "resulting_fields": [("read", 1)], "no_other_changes": True}
                for number in (1, 2, 3)]
        await now((await now(before.diff(after))).expect_exactly(read))
        before, after = await now(notes.db("seed").snapshot()), await now(notes.db("current").snapshot())
        await now((await now(before.diff(after))).expect_exactly([]))

        await now(notes.db("current").exec("DELETE FROM notes"))
        that("a reset of one app", (await now(mail.reset())).success)
        equal("brings back its own", await now(mail.db("current").table("letters").eq("read", 1).count()), 0)
        equal("and nothing else", await now(notes.db("current").table("notes").count()), 0)


@case("Env.app")
async def an_app_that_is_not_there_has_no_manager(sdk):
    client = sdk.client(max_retries=0)
    env = await now(client.make("office"))
    try:
        try:
            await now(env.app("nothing").load())
        except Exception as error:
            that(f"the error says that it is not there: {error}", "nothing" in str(error))
        else:
            raise AssertionError("an app that is not there was loaded")
    finally:
        await now(env.close())


@case("Env.api Instance.api API.request API.get API.post API.put API.patch API.delete API.head API.options "
      "APIResponse.json APIResponse.raise_for_status")
async def requests_reach_the_app(sdk):
    async with sdk.instance("office") as env:
        api = env.api()
        got = await now(api.get("/letters/1", params={"q": "a b"}, headers={"X-Mark": "m"}))
        equal("the answer", (got.status_code, got.ok, got.headers["content-type"]), (200, True, "application/json"))
        asked = got.json()
        equal("what was asked", (asked["app"], asked["method"], asked["mark"]), ("notes", "GET", "m"))
        that(f"the path: {asked['path']}", asked["path"] in ("/letters/1?q=a+b", "/letters/1?q=a%20b"))
        equal("the same answer", (got.raise_for_status().text, got.content), (got.text, got.text.encode()))
        for name in ("post", "put", "patch"):
            asked = (await now(getattr(api, name)("letters", json={"a": 1}))).json()
            equal(name, (asked["method"], asked["body"].replace(" ", ""), asked["type"]),
                  (name.upper(), '{"a":1}', "application/json"))
        form = (await now(api.post("/letters", data={"a": "1"}))).json()
        equal("a form", (form["body"], form["type"]), ("a=1", "application/x-www-form-urlencoded"))
        equal("delete", (await now(api.delete("/letters/1"))).json()["method"], "DELETE")
        head = await now(api.head("/letters"))
        equal("head", (head.headers["x-method"], head.content), ("HEAD", b""))
        equal("options", (await now(api.options("/letters"))).json()["method"], "OPTIONS")
        other = await now(api.request("POST", "/letters", json=[], cookies={"c": "d"}, timeout=10))
        equal("a cookie", other.json()["cookie"], "c=d")
        gone = await now(api.get("/status/410"))
        equal("a refusal", (gone.status_code, gone.ok), (410, False))
        try:
            gone.raise_for_status()
        except Exception as error:
            that("the status is in the error", "410" in str(error))
        else:
            raise AssertionError("a refusal was not raised")
        # Any other base of the app, by the manager's handle.
        mail = await now(env.instance.api("mail", env.urls.app[1]).get("letters"))
        equal("another app", mail.json()["app"], "mail")
