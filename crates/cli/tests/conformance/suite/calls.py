"""Which functions of the SDK were called, seen from outside: nothing of the SDK is replaced or wrapped."""

import contextlib
import sys
import threading

_codes = set()
_names = set()


def note(name):
    """For what is no Python function of this process: a command line, a class of error."""
    _names.add(name)


def _profile(frame, event, _argument):
    if event == "call":
        _codes.add(frame.f_code)


@contextlib.contextmanager
def watched():
    """Forgets what was called before, and sees every call until the end, of this thread and of those that it starts."""
    _codes.clear()
    _names.clear()
    threading.setprofile(_profile)
    sys.setprofile(_profile)
    try:
        yield
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def was_called(name, code):
    return name in _names or (code is not None and code in _codes)
