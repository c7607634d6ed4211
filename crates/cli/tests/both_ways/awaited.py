"""The asynchronous half of the SDK with the face of the other one: a call is made within a loop, and what it gives to await is awaited there."""

import asyncio
import inspect

_LOOP = asyncio.new_event_loop()


class Awaited:
    def __init__(self, wrapped):
        self._wrapped = wrapped

    def __getattr__(self, name):
        return _shown(getattr(self._wrapped, name))

    def __call__(self, *arguments, **named):
        arguments = [bare(value) for value in arguments]
        named = {name: bare(value) for name, value in named.items()}
        return _shown(_LOOP.run_until_complete(_now(self._wrapped, arguments, named)))


async def _now(function, arguments, named):
    value = function(*arguments, **named)
    while inspect.isawaitable(value):
        value = await value
    return value


def _shown(value):
    if isinstance(value, list):
        return [_shown(element) for element in value]
    is_of_the_sdk = type(value).__module__.startswith("fleet")
    return Awaited(value) if is_of_the_sdk or callable(value) else value


def bare(value):
    return value._wrapped if isinstance(value, Awaited) else value
