"""`python -m suite run TOPIC` does a topic's cases; `python -m suite page …` writes or checks the page that lists them."""

import argparse
import pathlib
import sys

from . import page, runner, topics


def main():
    parser = argparse.ArgumentParser(prog="suite", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="do the cases of one topic against the server at FLEET_BASE_URL")
    run.add_argument("topic", choices=topics.NAMES)
    run.add_argument("--only", default="", help="only cases whose names contain this")
    written = commands.add_parser("page", help="compare the page with the cases; it is written with --write")
    written.add_argument("path", type=pathlib.Path)
    written.add_argument("--write", action="store_true")
    commands.add_parser("topics", help="name the topics")
    arguments = parser.parse_args()
    if arguments.command == "run":
        return runner.run(arguments.topic, arguments.only)
    if arguments.command == "topics":
        print("\n".join(topics.NAMES))
        return 0
    return page.write(arguments.path) if arguments.write else page.check(arguments.path)


sys.exit(main())
