"""The two halves of the SDK behind one face, so that a case is written once."""

import asyncio
import contextlib
import itertools

import fleet
import fleet._async.exceptions
import fleet._async.tasks
import fleet.exceptions
import fleet.tasks

from .cases import SYNC
from .checks import now


class Flavour:
    def __init__(self, name):
        self.name = name
        self.sync = name == SYNC
        self.errors = fleet.exceptions if self.sync else fleet._async.exceptions
        self.tasks = fleet.tasks if self.sync else fleet._async.tasks
        self._numbers = itertools.count(1)
        self._shared = None

    def client(self, **options):
        return (fleet.Fleet if self.sync else fleet.AsyncFleet)(**options)

    def env(self, name):
        """A function of `fleet.env`."""
        return getattr(fleet.env, name if self.sync else f"{name}_async")

    def fleet(self, name):
        """A function of `fleet` itself."""
        if name == "verifier":
            return fleet.verifier_sync if self.sync else fleet.verifier
        return getattr(fleet, name if self.sync else f"{name}_async")

    def unique(self, what):
        """A name that no other case of this process uses."""
        return f"{what}-{self.name}-{next(self._numbers)}"

    async def load_task(self, key):
        (task,) = await now(self.fleet("load_tasks")(keys=[key]))
        return task

    @contextlib.asynccontextmanager
    async def instance(self, env_key="helpdesk", **options):
        """An instance of the case's own, with its resources loaded, closed at the end."""
        env = await now(self.client().make(env_key, **options))
        try:
            await now(env.instance.load())
            yield env
        finally:
            await now(env.close())

    async def shared(self):
        """An instance for cases that only look; one for all of a topic."""
        if self._shared is None:
            self._shared = await now(self.client().make("helpdesk"))
            await now(self._shared.instance.load())
        return self._shared

    async def outside_a_loop(self, call, env, *arguments, **named):
        """Calls what starts a loop of its own if it has to, and so must be called where none runs."""
        if self.sync:
            return call(env, *arguments, **named)
        # Connections of the loop here would be of no use there; a client that has none yet makes its own.
        handle = fleet.AsyncEnv(client=fleet.AsyncFleet().client, **env.model_dump())
        return await asyncio.to_thread(call, handle, *arguments, **named)

    async def close(self):
        if self._shared is not None:
            await now(self._shared.close())
