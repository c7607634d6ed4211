"""Does the cases of a topic, in both flavours, and says of each how it ended."""

import asyncio
import importlib
import time
import traceback

from . import calls, surface
from .cases import BOTH, CASES
from .flavour import Flavour


def run(topic, only):
    importlib.import_module(f"{__package__}.topics.{topic}")
    failed = []
    for flavour in BOTH:
        cases = [case for case in CASES if case.topic == topic and flavour in case.flavours and only in case.name]
        failed += asyncio.run(_run(cases, Flavour(flavour)))
    for name in failed:
        print(f"FAILED {name}", flush=True)
    if not failed:
        print(f"done: {topic}", flush=True)
    return 1 if failed else 0


async def _run(cases, flavour):
    members = {member.full: member for member in surface.members() if member.flavour == flavour.name}
    failed = []
    try:
        for case in cases:
            # A case of members that this half of the SDK does not have has nothing to do.
            proven = [members[name] for name in case.covers if name in members]
            if proven and not await _do(case, flavour, proven):
                failed.append(f"{case.topic}.{case.name} ({flavour.name})")
    finally:
        await flavour.close()
    return failed


async def _do(case, flavour, proven):
    start = time.monotonic()
    try:
        with calls.watched():
            await case.body(flavour)
        missed = [member.full for member in proven if not calls.was_called(member.full, member.code)]
        if missed:
            raise AssertionError(f"the case names members that it did not call: {', '.join(missed)}")
    except Exception:
        print(f"not ok  {case.name} ({flavour.name})\n{traceback.format_exc()}", flush=True)
        return False
    print(f"ok  {case.name} ({flavour.name}), {time.monotonic() - start:.1f} s", flush=True)
    return True
