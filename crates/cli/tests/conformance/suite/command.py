"""The SDK's command line `flt`, run as a person runs it."""

import os
import pathlib
import subprocess
import sys

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
