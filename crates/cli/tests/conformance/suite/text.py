"""The words of the page."""

HEAD = """
# Conformance with the official SDK

`fleet-python` {version}, unmodified as PyPI has it, drives `harness local`; this page says what of it was proven.
It is written by `{update}` from the suite in `crates/cli/tests/conformance` and from what the installed SDK has: a
member that a new release adds, and that no case covers, fails the suite, and so does a page that is out of date.

*pass* means that a case calls the member against a running `harness local`, checks what comes back, and is seen to have called it; `cargo xtask test` does every
case, in both halves of the SDK. *broken* means that this release of the SDK fails by itself, whatever the server; the case sees that it does. – means that this half has no such member.
Numbers lead to the [remarks](#remarks).
"""

# Group -> the heading, and what it is.
TITLES = {
    "Fleet": ("`Fleet`, `AsyncFleet`", "The client."),
    "Env": ("`SyncEnv`, `AsyncEnv`", "An instance: what `make` gives."),
    "Instance": ("`env.instance`", "Its manager. Of an environment with several apps, `env.app(name)` gives one of these for each."),
    "Resource": ("Resources", "What all resources of an instance have."),
    "SQLite": ("`env.db()`", "A database of the instance."),
    "Query": ("`env.db().table()`", "The table language: conditions, shape, assertions."),
    "Snapshot": ("`env.db().snapshot()`", "The rows as they are when they are first looked at."),
    "SnapshotQuery": ("`snapshot.table()`", "The table language of snapshots."),
    "SnapshotDiff": ("`before.diff(after)`", "What changed, with rows ignored and allowed."),
    "Filesystem": ("`env.fs()`", "Files of the instance."),
    "FilesystemDiff": ("`env.fs().diff()`", "Files that changed."),
    "Browser": ("`env.browser()`", "A browser beside the instance."),
    "API": ("`env.api()`", "Requests to the app itself."),
    "APIResponse": ("Answers of `env.api()`", "What the app answered."),
    "MCP": ("`env.mcp`", "The tools of the instance."),
    "Task": ("`Task`", "A task."),
    "Verifier": ("Verifiers", "What `@fleet.verifier` and a task's source become."),
    "Session": ("`fleet.session()`", "The log of one agent's work."),
    "Judge": ("`env.judge`", "A model that grades."),
    "Rubric": ("`Rubric`", "What a judge grades by."),
    "Criterion": ("`Criterion`", "A part of a rubric."),
    "Image": ("`Image`", "What a judge looks at."),
    "File": ("`File`", "What a judge reads."),
    "TrafficUploader": ("`TrafficUploader`", "Sends an agent's log of its traffic."),
    "fleet": ("`fleet`", "Functions of the module."),
    "fleet.env": ("`fleet.env`", "Functions that need no client."),
    "fleet.tasks": ("`fleet.tasks`", "What `fleet` does not export."),
    "fleet.exceptions": ("Errors", "Every class of error, provoked. Where the embedded Fleet has no reason to answer so, "
                         "a server of the test does; a remark says it."),
    "flt": ("`flt`", "The command line."),
}

FOOT = """
## The SDK's own tests

The SDK's wheel has its tests in it. They need no network; `cargo xtask test` runs them too, all but those of `flt track`, beside a `harness local`:
257 passed, 11 skipped. Those that are skipped say so themselves. None of their text is in this repository.
"""
