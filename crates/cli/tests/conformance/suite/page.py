"""The page that says what is proven: a function of the cases and of the installed SDK.

A row says "pass" because a case names it; that the case passes is what the topics' tests are for.
"""

import difflib
import importlib
import sys

import fleet

from . import excused, surface, topics
from .cases import ASYNC, CASES, SYNC
from .text import FOOT, HEAD, TITLES

UPDATE = "cargo xtask conformance"


def check(path):
    problems = _problems()
    found, wanted = path.read_text() if path.exists() else "", render()
    if found != wanted:
        lines = difflib.unified_diff(found.splitlines(), wanted.splitlines(), str(path), "what the suite does", lineterm="")
        problems += [*lines, f"The page is not what the suite does. Update it with `{UPDATE}`."]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def write(path):
    path.write_text(render())
    problems = _problems()
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def _load():
    for topic in topics.NAMES:
        importlib.import_module(f"{__package__}.topics.{topic}")


def _problems():
    """What is in the SDK and not in the suite, and the other way round."""
    _load()
    members = surface.members()
    known = {member.full for member in members}
    covered = {name for case in CASES for name in case.covers}
    problems = []
    for member in members:
        if not _cases(member) and excused.member(member.full) is None:
            problems.append(f"not covered: {member.full} ({member.flavour})")
    problems += [f"not covered: {name}, in no group of surface.py" for name in surface.strangers()]
    problems += [f"covered, but not in the SDK: {name}" for name in sorted(covered - known)]
    problems += [f"excused, but not in the SDK: {name}" for name in sorted(set(excused.MEMBERS) - known)]
    problems += [f"excused and covered: {name}" for name in sorted(set(excused.MEMBERS) & covered)]
    return problems


def _cases(member):
    return [case for case in CASES if member.full in case.covers and member.flavour in case.flavours]


def render():
    _load()
    remarks = []
    text = [HEAD.format(version=fleet.__version__, update=UPDATE)]
    members = surface.members()
    for group in dict.fromkeys(member.group for member in members):
        text.append(_table(group, [member for member in members if member.group == group], remarks))
    text.append("## Remarks\n\n" + "\n".join(f"{number}. {remark}." for number, remark in enumerate(remarks, 1)))
    left_out = "\n".join(f"| `{name}` | {reason} |" for name, reason in excused.MODULES.items())
    text.append(f"## Modules without a table\n\n| module | why |\n|---|---|\n{left_out}")
    text.append(FOOT)
    return "\n\n".join(part.strip("\n") for part in text) + "\n"


def _table(group, members, remarks):
    flavours = [flavour for flavour in (SYNC, ASYNC) if any(member.flavour == flavour for member in members)]
    title, note = TITLES[group]
    heads = ["result"] if len(flavours) == 1 else flavours
    lines = [f"## {title}", "", note, "", f"| | {' | '.join(heads)} |", "|---|" + "---|" * len(heads)]
    rows = {}
    for member in members:
        rows.setdefault(_row(member), {})[member.flavour] = member
    for name, found in rows.items():
        cells = [_cell(found.get(flavour), remarks) for flavour in flavours]
        if lines[-1] != f"| `{name}` | {' | '.join(cells)} |":
            lines.append(f"| `{name}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def _row(member):
    """The sub-commands of an excused command are one row."""
    for prefix in excused.COMMANDS:
        if member.group == surface.COMMANDS and member.name.startswith(prefix):
            return f"{prefix.replace('/', ' ')}…"
    return member.name.replace("/", " ")


def _cell(member, remarks):
    if member is None:
        return "–"
    reason = excused.member(member.full)
    if reason is not None:
        return f"left out {_number(reason, remarks)}"
    found = _cases(member)
    if not found:
        return "NOT COVERED"
    works = [case for case in found if case.broken is None]
    remarks_here = [case.broken or case.remark for case in found if case.broken or case.remark]
    # A remark on one case is not of interest where another proves the member without it.
    if any(case.remark is None for case in works):
        remarks_here = [case.broken for case in found if case.broken]
    numbers = " ".join(_number(remark, remarks) for remark in dict.fromkeys(remarks_here))
    return f"{'pass' if works else 'broken'} {numbers}".strip()


def _number(remark, remarks):
    if remark not in remarks:
        remarks.append(remark)
    return f"({remarks.index(remark) + 1})"
