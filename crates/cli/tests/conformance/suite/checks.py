"""Checks that say what they saw, and what they expected."""

import inspect

from . import calls


async def now(value):
    """The value, awaited if it is a coroutine: what a call of either flavour gives in the end."""
    return await value if inspect.isawaitable(value) else value


def equal(what, actual, expected):
    if actual != expected:
        raise AssertionError(f"{what}: expected {expected!r}, found {actual!r}")


def that(what, holds):
    if not holds:
        raise AssertionError(what)


async def raises(what, error, call, **attributes):
    """The error that the call raises, which is of this very class and has these attributes; anything else fails."""
    try:
        await now(call())
    except Exception as found:
        if type(found) is not error:
            raise AssertionError(f"{what}: expected {error.__name__}, found {type(found).__name__}: {found}") from found
        for name, value in attributes.items():
            equal(f"{what}: {name}", getattr(found, name), value)
        calls.note(f"fleet.exceptions.{error.__name__}")
        return found
    raise AssertionError(f"{what}: no {error.__name__} was raised")


def scored(what, response, score):
    """A verification that ran and gave this score."""
    that(f"{what}: the verifier did not run: {response.error}", response.success)
    result = response.result
    equal(what, float(result["score"] if isinstance(result, dict) else result), float(score))
    that(f"{what}: has an execution id", response.execution_id)
