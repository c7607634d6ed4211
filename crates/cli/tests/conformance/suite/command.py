"""The SDK's command line `flt`, run as a person runs it."""

import asyncio
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import urllib.request

from . import calls


def flt(command, *arguments, expected=0, **variables):
    """What the command printed; the test fails if it ends otherwise than expected."""
    program = pathlib.Path(sys.executable).with_name("flt")
    # What is printed is cut to the width of a terminal, if there is one; here there is room for any line.
    settings = {**os.environ, "COLUMNS": "4000", "NO_COLOR": "1", "TERM": "dumb", **variables}
    settings = {name: value for name, value in settings.items() if value is not None}
    done = subprocess.run([program, *command.split(), *arguments], env=settings, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=100)
    if done.returncode != expected:
        raise AssertionError(f"flt {command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    calls.note(f"flt.{command.replace(' ', '/')}")
    return done.stdout


async def written_summary(shown):
    """The summary that `flt` said was begun, at its end. `flt` cannot show it; `harness local` does."""
    if "Oversight analysis started" not in shown:
        raise AssertionError(f"no summary was begun:\n{shown}")
    summary_id = re.search(r"Summary ID: (\S+)", shown)[1]
    url = f"{os.environ['FLEET_BASE_URL']}/v1/summaries/{summary_id}"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {os.environ['FLEET_API_KEY']}"})
    end = time.monotonic() + 60
    while True:
        with urllib.request.urlopen(request) as answer:
            summary = json.load(answer)
        if summary["status"] == "completed":
            return summary
        if summary["status"] != "running" or time.monotonic() > end:
            raise AssertionError(f"it was not written: {summary}")
        await asyncio.sleep(0.05)
