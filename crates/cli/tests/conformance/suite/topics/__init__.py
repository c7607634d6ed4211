"""One module a topic. The Rust tests beside this package run each of them against a server of its own."""

import pathlib

NAMES = sorted(path.stem for path in pathlib.Path(__file__).parent.glob("[a-z]*.py"))
