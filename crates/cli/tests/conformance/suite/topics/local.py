"""What needs no server: databases of this machine, compared and verified."""

import json
import pathlib
import sqlite3
import tempfile

import fleet

from ..cases import SYNC, case
from ..checks import equal, now, that

SCHEMA = "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT); INSERT INTO notes VALUES (1, 'one'), (2, 'two')"
SOURCE = '''def verify(env, final_answer=None):
    env.instance.load()
    row = env.db("current").table("notes").eq("id", 2).first()
    return TASK_SUCCESSFUL_SCORE if row["text"] == "zwei" and final_answer == "done" else TASK_FAILED_SCORE
'''


def _databases(folder):
    """A seed, and what became of it."""
    paths = [str(pathlib.Path(folder, name)) for name in ("seed.db", "current.db")]
    for path in paths:
        with sqlite3.connect(path) as database:
            database.executescript(SCHEMA)
    with sqlite3.connect(paths[1]) as database:
        database.execute("UPDATE notes SET text = 'zwei' WHERE id = 2")
    return paths


@case("Fleet.instance SQLite.describe SQLite.query SQLite.exec SQLite.mode Instance.close Env.db")
async def files_and_memory_are_databases(sdk):
    with tempfile.TemporaryDirectory() as folder:
        seed, current = _databases(folder)
        env = await now(sdk.client().instance({"seed": seed, "current": current, "memory": ":memory:"}))
        equal("without a server", env.db().mode, "direct")
        described = await now(env.db().describe())
        equal("its table", [table.name for table in described.tables], ["notes"])
        equal("its rows", (await now(env.db().query("SELECT text FROM notes ORDER BY id"))).rows, [["one"], ["zwei"]])
        memory = env.db("memory")
        await now(memory.exec("CREATE TABLE t (x)"))
        await now(memory.exec("INSERT INTO t VALUES (?)", [1]))
        equal("in memory", await now(env.db("memory").table("t").count()), 1)
        before, after = await now(env.db("seed").snapshot()), await now(env.db().snapshot())
        spec = {"table": "notes", "pk": 2, "type": "modify", "resulting_fields": [("text", "zwei")], "no_other_changes": True}
        await now((await now(before.diff(after))).expect_exactly([spec]))
        await now(env.instance.close())


@case("fleet.execute_verifier_local fleet.diff_dbs", only=SYNC)
async def functions_of_the_module_verify_and_compare(sdk):
    await _verify_and_compare(fleet)


@case("Fleet.execute_verifier_local Fleet.diff_dbs")
async def the_client_verifies_and_compares(sdk):
    await _verify_and_compare(sdk.client())


async def _verify_and_compare(owner):
    with tempfile.TemporaryDirectory() as folder:
        seed, current = _databases(folder)
        for answer, score in (("done", 1), ("no", 0), (None, 0)):
            result = await now(owner.execute_verifier_local(SOURCE, seed, current, answer))
            equal(f"answer {answer}", (result["success"], result["result"]), (True, score))
        compared = await now(owner.diff_dbs(seed, current))
        (row,) = compared["diff"]["notes"]["modified_rows"]
        equal("the change", (row["row_id"], row["changes"]), (2, {"text": {"before": "two", "after": "zwei"}}))
        ignored = await now(owner.diff_dbs(seed, current, ignore_tables={"notes"}))
        that("ignored", not ignored["diff"].get("notes", {}).get("modified_rows"))


@case("SQLite.diff")
async def the_server_s_comparison_is_the_local_one(sdk):
    """The same two databases through `/diff/structured` and through the SDK's own comparison."""
    async with sdk.instance() as env:
        await now(env.db().exec("UPDATE tickets SET priority = 'high', subject = 'Ä' WHERE id = 3"))
        await now(env.db().exec("DELETE FROM ticket_tags WHERE rowid = (SELECT MAX(rowid) FROM ticket_tags)"))
        await now(env.db().exec("INSERT INTO tags (id, name) VALUES (900, 'new')"))
        answer = await now(env.instance.client.request("POST", "/diff/structured", json={}))
        served = answer.json()["diff"]
        with tempfile.TemporaryDirectory() as folder:
            paths = [str(pathlib.Path(folder, f"{name}.db")) for name in ("seed", "current")]
            for name, path in zip(("seed", "current"), paths):
                await _copied(env.db(name), path)
            local = fleet.diff_dbs(*paths)["diff"]
        diff = await now(env.db("seed").diff(env.db()))
        # In the asynchronous half `changes` is filled by whatever is awaited first; this is that and nothing else.
        changes = await now(diff._collect())
        equal("the tables", set(served), set(local))
        for table, expected in local.items():
            for kind in ("added_rows", "removed_rows", "modified_rows"):
                equal(f"{table}: {kind}", _keys(served[table][kind]), _keys(expected[kind]))
                equal(f"{table}: {kind}, by queries", _keys(changes.get(table, {}).get(kind, [])), _keys(expected[kind]))


def _keys(rows):
    """Row keys and changed fields; a key of several columns is a list on the wire and a tuple here."""
    return sorted((str(list(row["row_id"]) if isinstance(row["row_id"], (list, tuple)) else row["row_id"]),
                   json.dumps(row.get("changes", {}), sort_keys=True)) for row in rows)


async def _copied(db, path):
    described = await now(db.describe())
    with sqlite3.connect(path) as copy:
        for table in described.tables:
            copy.execute(table.sql)
            rows = (await now(db.query(f'SELECT * FROM "{table.name}"'))).rows
            if rows:
                copy.executemany(f'INSERT INTO "{table.name}" VALUES ({", ".join("?" * len(rows[0]))})', rows)
