"""The public members of the installed SDK, found by looking at it: what a new release adds shows up here and is missed by the suite."""

import dataclasses
import importlib
import inspect
import pkgutil

import fleet
import fleet._async.exceptions
import fleet._async.tasks
import fleet.cli
import fleet.tasks
import pydantic
import typer
from fleet._async.instance.client import AsyncInstanceClient
from fleet._async.judge import AsyncJudge
from fleet._async.resources import api as async_api
from fleet._async.resources import base as async_base
from fleet._async.resources import browser as async_browser
from fleet._async.resources import filesystem as async_filesystem
from fleet._async.resources import mcp as async_mcp
from fleet._async.resources import sqlite as async_sqlite
from fleet.eval import TrafficUploader
from fleet.instance.client import InstanceClient
from fleet.judge import SyncJudge
from fleet.resources import api, base, browser, filesystem, mcp, sqlite

from . import excused
from .cases import ASYNC, SYNC


@dataclasses.dataclass(frozen=True)
class Member:
    """A public name in one flavour. `code` is what runs when it is called; None for what is no Python function of this process."""

    group: str
    name: str
    flavour: str
    code: object = None

    @property
    def full(self):
        return f"{self.group}.{self.name}"


# Title -> the class of the synchronous half, that of the asynchronous half.
CLASSES = {
    "Fleet": (fleet.Fleet, fleet.AsyncFleet),
    "Env": (fleet.SyncEnv, fleet.AsyncEnv),
    "Instance": (InstanceClient, AsyncInstanceClient),
    "Resource": (base.Resource, async_base.Resource),
    "SQLite": (sqlite.SQLiteResource, async_sqlite.AsyncSQLiteResource),
    "Query": (sqlite.SyncQueryBuilder, async_sqlite.AsyncQueryBuilder),
    "Snapshot": (sqlite.SyncDatabaseSnapshot, async_sqlite.AsyncDatabaseSnapshot),
    "SnapshotQuery": (sqlite.SyncSnapshotQueryBuilder, async_sqlite.AsyncSnapshotQueryBuilder),
    "SnapshotDiff": (sqlite.SyncSnapshotDiff, async_sqlite.AsyncSnapshotDiff),
    "Filesystem": (filesystem.FilesystemResource, async_filesystem.AsyncFilesystemResource),
    "FilesystemDiff": (filesystem.SyncFilesystemDiff, async_filesystem.AsyncFilesystemDiff),
    "Browser": (browser.BrowserResource, async_browser.AsyncBrowserResource),
    "API": (api.APIResource, async_api.AsyncAPIResource),
    "APIResponse": (api.APIResponse, async_api.AsyncAPIResponse),
    "MCP": (mcp.SyncMCPResource, async_mcp.AsyncMCPResource),
    "Task": (fleet.tasks.Task, fleet.Task),
    "Verifier": (fleet.SyncVerifierFunction, fleet.AsyncVerifierFunction),
    "Session": (fleet.Session, fleet.AsyncSession),
    "Judge": (SyncJudge, AsyncJudge),
    "Rubric": (fleet.Rubric, None),
    "Criterion": (fleet.Criterion, None),
    "Image": (fleet.Image, None),
    "File": (fleet.File, None),
    "TrafficUploader": (None, TrafficUploader),
}

# Title -> modules; the functions of the second half have `_async` at the end, or are in a module of their own.
MODULES = {
    "fleet": (fleet, fleet),
    "fleet.env": (fleet.env, fleet.env),
    "fleet.tasks": (fleet.tasks, fleet._async.tasks),
}

EXCEPTIONS = "fleet.exceptions"
COMMANDS = "flt"


def members():
    """Every public member, sorted by group as above and by name."""
    found = []
    for title, classes in CLASSES.items():
        for flavour, owner in zip((SYNC, ASYNC), classes):
            if owner is not None:
                found += [Member(title, name, flavour, code) for name, code in _methods(owner)]
    for title, modules in MODULES.items():
        found += _functions(title, *modules)
    found += [Member(EXCEPTIONS, name, SYNC) for name in _errors(fleet.exceptions)]
    found += [Member(EXCEPTIONS, name, ASYNC) for name in _errors(fleet._async.exceptions)]
    found += [Member(COMMANDS, name, SYNC) for name in _commands(fleet.cli.app, "")]
    return found


def _methods(owner):
    """Public methods and properties of a class and of its bases in the SDK, but for the base that has a group of its own."""
    shared = [base for base in CLASSES["Resource"] if base is not owner]
    names = {}
    for base in reversed(owner.__mro__):
        if not base.__module__.startswith("fleet") or base in shared:
            continue
        for name, value in vars(base).items():
            code = _code(value)
            if not name.startswith("_") and code is not None:
                names[name] = code
    return sorted((name, code) for name, code in names.items() if f"{owner.__name__}.{name}" not in excused.HOOKS)


def _code(value):
    """What runs for an attribute of a class; None if it is data."""
    for inner in ("fget", "__func__", "wrapped"):
        value = getattr(value, inner, None) or value
    return getattr(value, "__code__", None)


def _functions(title, sync_module, async_module):
    found = []
    exported = set() if sync_module is fleet else set(map(id, vars(fleet).values()))
    names = getattr(sync_module, "__all__", None) or vars(sync_module)
    for name in names:
        value = getattr(sync_module, name)
        if name.startswith("_") or not inspect.isfunction(value) or not value.__module__.startswith("fleet"):
            continue
        if id(value) in exported or (sync_module is not fleet and not value.__module__.startswith(title)
                                     and not name.endswith("_async")):
            continue
        base, flavour = _flavour(name)
        found.append(Member(title, base, flavour, value.__code__))
        twin = getattr(async_module, name, None)
        if async_module is not sync_module and twin is not None:
            found.append(Member(title, base, ASYNC, twin.__code__))
    return sorted(found, key=lambda member: member.name)


def _flavour(name):
    """`verifier` is the one name whose bare form is the asynchronous one."""
    if name == "verifier":
        return name, ASYNC
    if name == "verifier_sync":
        return "verifier", SYNC
    return (name.removesuffix("_async"), ASYNC) if name.endswith("_async") else (name, SYNC)


def _errors(module):
    return [name for name, value in vars(module).items() if inspect.isclass(value) and issubclass(value, Exception)
            and value.__module__ == module.__name__]


def _commands(app, prefix):
    command = typer.main.get_command(app)
    return sorted(_leaves(command, prefix))


def _leaves(command, prefix):
    """`jobs/list` and so on; a name has no white space, for cases to name it."""
    for name, child in command.commands.items():
        if hasattr(child, "commands"):
            yield from _leaves(child, f"{prefix}{name}/")
        else:
            yield f"{prefix}{name}"


def strangers():
    """Public classes and functions of the SDK's modules that are in no group and not excused."""
    known = {owner for pair in CLASSES.values() for owner in pair}
    functions = {member.code for member in members()}
    for module in pkgutil.walk_packages(fleet.__path__, "fleet."):
        if excused.module(module.name) is not None or module.name.rsplit(".", 1)[1].startswith("_"):
            continue
        loaded = importlib.import_module(module.name)
        for name, value in vars(loaded).items():
            if name.startswith("_") or getattr(value, "__module__", None) != module.name:
                continue
            if inspect.isclass(value):
                missing = value not in known and not issubclass(value, (pydantic.BaseModel, Exception))
            else:
                missing = inspect.isfunction(value) and value.__code__ not in functions
            if missing and f"{module.name}.{name}" not in excused.OBJECTS:
                yield f"{module.name}.{name}"
