"""Databases of an instance: statements, the schema, the table language."""

from ..cases import case
from ..checks import equal, now, raises, that
from ..desk import TICKETS


@case("SQLite.query SQLite.exec SQLite.mode")
async def statements_are_executed(sdk):
    async with sdk.instance() as env:
        db = env.db()
        equal("over HTTP", db.mode, "http")
        counted = await now(db.query("SELECT COUNT(*) AS n FROM tickets"))
        equal("columns and rows", (counted.columns, counted.rows, counted.success), (["n"], [[TICKETS]], True))
        bound = await now(db.query("SELECT subject FROM tickets WHERE id = ? AND status = ?", [3, "open"]))
        equal("arguments", bound.rows, [["Label printer offline after update"]])
        typed = await now(db.query("SELECT NULL, 1, 2.5, 'ä', CAST(? AS TEXT)", ["x"]))
        equal("types", typed.rows, [[None, 1, 2.5, "ä", "x"]])
        empty = await now(db.query("SELECT id FROM tickets WHERE id = 0"))
        equal("no rows, yet columns", (empty.columns, empty.rows), (["id"], []))

        wrong = await now(db.query("SELECT x FROM nowhere"))
        equal("a wrong query", (wrong.success, wrong.rows), (False, None))
        that(f"says why: {wrong}", "nowhere" in wrong.error)
        refused = await now(db.query("DELETE FROM tags"))
        equal("a query writes nothing", refused.success, False)

        inserted = await now(db.exec("INSERT INTO tags (name) VALUES (?), (?)", ["one", "two"]))
        equal("rows that were written", (inserted.success, inserted.rows_affected), (True, 2))
        (newest,) = (await now(db.query("SELECT MAX(id) FROM tags"))).rows[0]
        equal("the id of the last", inserted.last_insert_id, newest)
        refused = await now(env.db("seed").exec("DELETE FROM tickets"))
        equal("the seed cannot be written", refused.success, False)
        equal("and is as it was", await now(env.db("seed").table("tickets").count()), TICKETS)


@case("SQLite.describe")
async def the_schema_is_described(sdk):
    described = await now((await sdk.shared()).db().describe())
    equal("the answer", (described.success, described.resource_name), (True, "current"))
    tables = {table.name: table for table in described.tables}
    that("the statement", tables["tickets"].sql.startswith("CREATE TABLE"))
    columns = {column["name"]: column for column in tables["tickets"].columns}
    equal("a column", (columns["subject"]["type"], columns["subject"]["notnull"]), ("TEXT", True))
    equal("a default", columns["status"]["default_value"], "'open'")
    equal("the key", (columns["id"]["primary_key"], columns["id"]["pk"]), (True, 1))
    # Without the position in the key, the SDK compares tables with several key columns wrongly.
    key = [(column["name"], column["pk"]) for column in tables["ticket_tags"].columns]
    equal("a key of two columns", key, [("ticket_id", 1), ("tag_id", 2)])


@case("SQLite.query")
async def pragmas_are_answered_from_the_schema(sdk):
    db = (await sdk.shared()).db()
    info = await now(db.query("PRAGMA table_info(ticket_tags)"))
    equal("of a table", [(row[1], row[5]) for row in info.rows], [("ticket_id", 1), ("tag_id", 2)])
    other = await now(db.query("PRAGMA journal_mode"))
    equal("no other", other.success, False)


@case("SQLite.table Query.eq Query.neq Query.gt Query.gte Query.lt Query.lte Query.in_ Query.not_in Query.is_null "
      "Query.not_null Query.ilike Query.where Query.count")
async def conditions_select_rows(sdk):
    db = (await sdk.shared()).db()
    tickets = db.table("tickets")

    async def counts(what, query, expected):
        equal(what, await now(query.count()), expected)

    await counts("all", tickets, TICKETS)
    await counts("eq", tickets.eq("id", 3), 1)
    await counts("neq", tickets.neq("id", 3), TICKETS - 1)
    await counts("gt", tickets.gt("id", 40), 2)
    await counts("gte", tickets.gte("id", 40), 3)
    await counts("lt", tickets.lt("id", 3), 2)
    await counts("lte", tickets.lte("id", 3), 3)
    await counts("in", tickets.in_("id", [1, 2, 99]), 2)
    await counts("not in", tickets.not_in("id", [1, 2, 99]), TICKETS - 2)
    await counts("like", tickets.ilike("subject", "LABEL PRINTER OFFLINE%"), 2)
    await counts("where", tickets.where({"id": 3}, status="open"), 1)
    await counts("where, of other values", tickets.where(id=3, status="closed"), 0)
    unassigned = await now(tickets.is_null("assignee_id").count())
    that("some are unassigned", 0 < unassigned < TICKETS)
    await counts("not null", tickets.not_null("assignee_id"), TICKETS - unassigned)
    await counts("several", tickets.eq("status", "open").gt("id", 2).lt("id", 4), 1)


@case("Query.select Query.sort Query.limit Query.first Query.all Query.join")
async def rows_are_shaped(sdk):
    db = (await sdk.shared()).db()
    tickets = db.table("tickets")
    equal("select, sort, limit", await now(tickets.select("id").sort("id", desc=True).limit(2).all()), [{"id": 42}, {"id": 41}])
    equal("ascending", (await now(tickets.select("id", "status").sort("id").first()))["id"], 1)
    equal("no row", await now(tickets.eq("id", 0).first()), None)
    equal("no rows", await now(tickets.eq("id", 0).all()), [])
    whole = await now(tickets.eq("id", 3).first())
    equal("a whole row", (whole["id"], whole["priority"]), (3, "normal"))
    owned = db.table("tickets").join("agents", {"assignee_id": "id"}).eq("name", "Priya Raman").select("name", "subject")
    joined = await now(owned.all())
    that("joined", joined and all(row["name"] == "Priya Raman" for row in joined))
    (number,) = (await now(db.query(
        "SELECT COUNT(*) FROM tickets JOIN agents ON assignee_id = agents.id WHERE name = 'Priya Raman'"))).rows[0]
    equal("as many as SQL finds", len(joined), number)


@case("Query.assert_exists Query.assert_none Query.assert_eq")
async def assertions_hold_or_fail(sdk):
    tickets = (await sdk.shared()).db().table("tickets")
    await now(tickets.eq("id", 3).assert_exists())
    await now(tickets.eq("id", 0).assert_none())
    await now(tickets.eq("id", 3).assert_eq("priority", "normal"))
    await raises("nothing there", AssertionError, tickets.eq("id", 0).assert_exists)
    await raises("something there", AssertionError, tickets.eq("id", 3).assert_none)
    await raises("another value", AssertionError, lambda: tickets.eq("id", 3).assert_eq("priority", "high"))
    await raises("no row for a value", AssertionError, lambda: tickets.eq("id", 0).assert_eq("priority", "high"))
