"""What a case is: something done with the SDK in one flavour or both, and the public members that it proves."""

import dataclasses
import typing

SYNC, ASYNC = "sync", "async"
BOTH = (SYNC, ASYNC)


@dataclasses.dataclass(frozen=True)
class Case:
    topic: str
    name: str
    # Members as `Group.name`, see surface.py.
    covers: tuple[str, ...]
    flavours: tuple[str, ...]
    # What the page adds to "pass".
    remark: str | None
    # In place of "pass": how this release of the SDK fails by itself, which the case sees.
    broken: str | None
    body: typing.Callable


CASES: list[Case] = []


def case(covers, *, only=None, remark=None, broken=None):
    """Registers a case. `covers` names members, separated by white space; the case fails if one of them was not called.

    The body is a coroutine that is given a flavour. What it calls is awaited where it can be (`now`), so one text serves both.
    """

    def register(body):
        topic = body.__module__.rsplit(".", 1)[1]
        flavours = BOTH if only is None else (only,)
        CASES.append(Case(topic, body.__name__, tuple(covers.split()), flavours, remark, broken, body))
        return body

    return register
