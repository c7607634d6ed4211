"""Runs Python verifiers for fleet-local: one forked child per verification.

The server starts this script once, inside the Python that has the official SDK. Importing the SDK takes about half a second and building
its HTTP client tens of milliseconds; both happen here once, and every child starts with them in place.

  control socket   the server listens; this script connects, says it is ready, and ends when the connection closes
  work socket      this script listens; one connection per verification: one request, one answer, both a 4-byte big-endian length and JSON

A child takes from itself what a verifier must not have, and asks the server whether what holds is enough (`confine.py`), before it looks
at the verifier.

A child prints into a pipe that this script drains, so what a verifier prints never mixes with the protocol. This script enforces the wall
clock with SIGKILL on the child's process group, and reports how a child ended that could not do so itself.
"""

import ast
import base64
import collections
import errno
import gc
import inspect
import json
import linecache
import math
import os
import selectors
import shutil
import signal
import socket
import sqlite3
import struct
import sys
import tempfile
import time
import traceback
import types

# Isolated mode looks for modules in no folder of ours.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from confine import confine, limit  # noqa: E402

sys.path.pop(0)

REQUEST_LIMIT = 96 * 1024 * 1024
RESULT_LIMIT = 8 * 1024 * 1024
HEAD_LIMIT = 512 * 1024
TAIL_LIMIT = 256 * 1024
# Between the signal that lets a verifier say where it hangs, and the kill.
HARD_STOP_AFTER = 2.0
# Between two looks at how many processes the verifications have.
LOOK_EVERY = 0.1
SOURCE_NAME = "verifier.py"


# ---------------------------------------------------------------------------------------------------------------- the child


class VerifierTimeout(BaseException):
    """Not an Exception: a verifier's own `except Exception: return 0` must not turn a timeout into a score."""


class Alarm:
    def __init__(self):
        self.rang = False

    def __call__(self, _signal, _frame):
        self.rang = True
        raise VerifierTimeout()


def describe(error):
    """The error as the API has it, with the frames of this script left out."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    lines = traceback.format_exception(type(error), error, trace)
    return {"type": type(error).__name__, "message": str(error), "traceback": "".join(lines)[-20000:]}


def namespace(fleet):
    """The names that verifiers use without importing them."""
    from fleet.verifiers import local_executor as shared

    module = types.ModuleType("verifier")
    module.__file__ = SOURCE_NAME
    # Data classes and pickles look their module up by name.
    sys.modules["verifier"] = module
    module.__dict__.update(
        {
            "TASK_SUCCESSFUL_SCORE": fleet.TASK_SUCCESSFUL_SCORE,
            "TASK_FAILED_SCORE": fleet.TASK_FAILED_SCORE,
            "DatabaseSnapshot": fleet.DatabaseSnapshot,
            "IgnoreConfig": fleet.IgnoreConfig,
            "SnapshotDiff": fleet.SnapshotDiff,
            "Environment": fleet.SyncEnv,
            "normalized_contains": shared.normalized_contains,
            "normalized_string_comparison": shared.normalized_string_comparison,
            "extract_numbers": shared.extract_numbers,
            "contains_number": shared.contains_number,
            # Some sources keep the decorator and lose its import.
            "verifier": fleet.verifier_sync,
            "json": json,
            "re": __import__("re"),
            "string": __import__("string"),
        }
    )
    return module.__dict__


def unwrap(value):
    """The function inside the SDK's decorator, whose wrapper would turn every exception into a score of 0."""
    inner = getattr(value, "func", None)
    if not inspect.isfunction(value) and type(value).__name__.endswith("VerifierFunction") and inspect.isfunction(inner):
        return inner
    return value


def define(source, names):
    """Runs the source; returns its functions in the order of their definition."""
    linecache.cache[SOURCE_NAME] = (len(source), None, source.splitlines(True), SOURCE_NAME)
    flags = __import__("__future__").annotations.compiler_flag
    exec(compile(source, SOURCE_NAME, "exec", flags=flags, dont_inherit=True), names)
    functions = {}
    for name, value in names.items():
        value = unwrap(value)
        if inspect.isfunction(value) and value.__code__.co_filename == SOURCE_NAME:
            functions[name] = value
    return dict(sorted(functions.items(), key=lambda item: item[1].__code__.co_firstlineno))


def choose(functions, wanted):
    if wanted in functions:
        return functions[wanted]
    for function in functions.values():
        return function
    raise ValueError("No function found in verifier code")


def awaits(function):
    """Whether the function awaits what it calls: then it expects the SDK's asynchronous env."""
    try:
        tree = ast.parse(inspect.cleandoc("\n" + inspect.getsource(function)))
    except (OSError, SyntaxError):
        return False
    return any(isinstance(node, ast.Await) for node in ast.walk(tree))


def record(request):
    """What the SDK must know of an instance to talk to its manager."""
    url = request["manager_url"]
    manager = dict.fromkeys(("docs", "reset", "diff", "snapshot", "execute_verifier_function", "execute_verifier_function_with_upload"), "-")
    return {
        "instance_id": request["instance_id"],
        "env_key": request["env_key"],
        "version": "",
        "status": "running",
        "subdomain": request["instance_id"],
        "created_at": "",
        "updated_at": "",
        "team_id": "",
        "region": "local",
        "urls": {"root": request["root_url"], "app": request["app_urls"], "manager": dict(manager, api=url)},
    }


def snapshot_of(db, path):
    """The SDK's snapshot of a file, which is what older verifiers are written for: it can do more than one of a manager's database."""
    from fleet import DatabaseSnapshot

    quoted = lambda name: '"' + name.replace('"', '""') + '"'
    with sqlite3.connect(path) as copy:
        for table in db.describe().tables or []:
            copy.execute(table.sql)
            name = quoted(table.name)
            # Generated columns are made anew.
            columns = [quoted(row[1]) for row in copy.execute(f"PRAGMA table_xinfo({name})") if row[6] == 0]
            # Literals, since JSON has no blobs.
            rows = db.query(f"SELECT {', '.join(f'quote({column})' for column in columns)} FROM {name}")
            if not rows.success:
                raise RuntimeError(f"{table.name} could not be read: {rows.error}")
            for row in rows.rows:
                copy.execute(f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({', '.join(row)})")
    return DatabaseSnapshot(path)


def arguments(function, env, args, kwargs):
    """Fits the call to the function: older verifiers take two snapshots, and some take no answer."""
    signature = inspect.signature(function)
    names = list(signature.parameters)
    if names[:2] == ["before", "after"]:
        env.instance.load()
        answer = kwargs.get("transcript", kwargs.get("final_answer", args[0] if args else None))
        snapshots = (snapshot_of(env.db("seed"), "before.db"), snapshot_of(env.db("current"), "after.db"))
        return snapshots, ({"transcript": answer} if "transcript" in names else {})
    args, kwargs = list(args), dict(kwargs)
    takes_any = {parameter.kind for parameter in signature.parameters.values()}
    if inspect.Parameter.VAR_KEYWORD not in takes_any:
        for optional in ("final_answer", "conversation"):
            if optional in kwargs and optional not in signature.parameters:
                del kwargs[optional]
    if len(names) == 1 and inspect.Parameter.VAR_POSITIONAL not in takes_any and len(args) == 1:
        args = []
    return (env, *args), kwargs


def call(fleet, client, function, request):
    args, kwargs = request["args"], request["kwargs"]
    if inspect.iscoroutinefunction(function):
        import asyncio

        async def run():
            if awaits(function):
                from fleet import AsyncEnv, AsyncFleet

                env = AsyncEnv(client=AsyncFleet().client, **record(request))
            else:
                env = fleet.SyncEnv(client=client.client, **record(request))
            positional, named = arguments(function, env, args, kwargs)
            return await function(*positional, **named)

        return asyncio.run(run())
    env = fleet.SyncEnv(client=client.client, **record(request))
    positional, named = arguments(function, env, args, kwargs)
    return function(*positional, **named)


def plain(value):
    """The result as JSON; what has no JSON form is an error, not a zero."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"the verifier returned {value}, which is not a score")
        return value
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "score"):
        return {"score": plain(float(value.score))}
    try:
        return plain(float(value))
    except (TypeError, ValueError):
        raise TypeError(f"the verifier returned {type(value).__name__}, which is not a score") from None


def verify(fleet, client, request):
    for name, content in request["files"].items():
        path = os.path.join(os.getcwd(), name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(base64.b64decode(content))
    if request["files"]:
        sys.path.insert(0, os.getcwd())
    functions = define(request["source"], namespace(fleet))
    return plain(call(fleet, client, choose(functions, request.get("function_name")), request))


def child(fleet, client, request, output, result):
    """Never returns. `output` and `result` are the write ends of the two pipes."""
    code = 1
    try:
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdin = open(0, "r", closefd=False)
        sys.stdout = open(1, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
        sys.stderr = open(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
        if request["sandbox"] is None:
            limit(request["limits"])
        else:
            confine(request["sandbox"], os.getcwd())
        alarm = Alarm()
        signal.signal(signal.SIGALRM, alarm)
        signal.setitimer(signal.ITIMER_REAL, request["time_limit"])
        gc.enable()
        # What this verification is let in by at the server's door; clients that the verifier makes itself look for it here.
        os.environ["FLEET_API_KEY"] = request["pass"]
        client = fleet.Fleet(httpx_client=client.client.httpx_client)
        try:
            value, error = verify(fleet, client, request), None
        except VerifierTimeout as timeout:
            value, error = None, describe(timeout)
        except BaseException as raised:  # SystemExit too: a verifier that leaves has no result
            value, error = None, describe(raised)
        signal.setitimer(signal.ITIMER_REAL, 0)
        if alarm.rang:
            value, error = None, dict(error or {"traceback": ""}, type="TimeoutError", message=f"the verifier did not end within {request['time_limit']:g} s")
        answer = json.dumps({"result": value, "error": error}, allow_nan=False).encode()
        if len(answer) > RESULT_LIMIT:
            error = {"type": "ValueError", "message": f"the verifier returned more than {RESULT_LIMIT} bytes", "traceback": ""}
            answer = json.dumps({"result": None, "error": error}).encode()
        sys.stdout.flush()
        sys.stderr.flush()
        view = memoryview(answer)
        while view:
            view = view[os.write(result, view) :]
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


# --------------------------------------------------------------------------------------------------------------- the parent


class Output:
    """Head and tail of what a child printed; the middle of a flood is dropped and counted."""

    def __init__(self):
        self.head = bytearray()
        self.tail = bytearray()
        self.dropped = 0

    def add(self, chunk):
        room = HEAD_LIMIT - len(self.head)
        self.head += chunk[:room]
        self.tail += chunk[room:] if room < len(chunk) else b""
        excess = len(self.tail) - TAIL_LIMIT
        if excess > 0:
            self.dropped += excess
            del self.tail[:excess]

    def text(self):
        middle = f"\n[{self.dropped} bytes dropped]\n".encode() if self.dropped else b""
        return (bytes(self.head) + middle + bytes(self.tail)).decode("utf-8", "replace")


class Job:
    def __init__(self, connection):
        self.connection = connection
        self.received = bytearray()
        self.request = None
        self.pid = None
        self.pipes = []  # read ends: output, result
        self.output = Output()
        self.result = bytearray()
        self.deadline = None
        self.timed_out = False
        self.cancelled = False
        self.crowded = False
        self.process_limit = None
        self.folder = None


def answer_of(written):
    """What a child answered, or None: it is the verifier's process that wrote this, and may have written anything."""
    try:
        answer = json.loads(written)
    except (ValueError, RecursionError):
        return None
    if not isinstance(answer, dict) or "result" not in answer:
        return None
    return {"result": answer["result"], "error": answer.get("error")}


class Worker:
    def __init__(self, fleet, client, control, listener):
        self.fleet = fleet
        self.client = client
        self.control = control
        self.listener = listener
        self.selector = selectors.DefaultSelector()
        self.jobs = set()
        self.next_look = 0.0
        self.wake_read, self.wake_write = os.pipe()
        for end in (self.wake_read, self.wake_write):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self.wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.selector.register(control, selectors.EVENT_READ, None)
        self.selector.register(listener, selectors.EVENT_READ, None)
        self.selector.register(self.wake_read, selectors.EVENT_READ, None)

    def run(self):
        while True:
            for key, _ in self.selector.select(self.patience()):
                if key.fileobj is self.control:
                    return  # the server is gone, or wants this worker gone
                if key.fileobj is self.listener:
                    self.accept()
                elif key.fd == self.wake_read:
                    drain(self.wake_read)
                elif key.data in self.jobs:
                    self.ready(key.data, key)
            self.reap()
            self.expire()
            self.thin_out()

    def patience(self):
        deadlines = [job.deadline for job in self.jobs if job.deadline is not None]
        return min(LOOK_EVERY, max(0.0, min(deadlines) - time.monotonic())) if deadlines else None

    def accept(self):
        try:
            connection, _ = self.listener.accept()
        except OSError:
            return
        connection.setblocking(False)
        job = Job(connection)
        self.jobs.add(job)
        self.selector.register(connection, selectors.EVENT_READ, job)

    def ready(self, job, key):
        if key.fileobj is job.connection:
            self.receive(job)
        elif key.fileobj == job.pipes[0]:
            self.collect(job, job.pipes[0], job.output.add)
        elif key.fileobj == job.pipes[1]:
            self.collect(job, job.pipes[1], job.result.extend)

    def receive(self, job):
        try:
            chunk = job.connection.recv(1 << 20)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if job.request is not None or not chunk:
            # Nothing may follow a request, so this is the end of the connection: nobody waits for the answer.
            job.cancelled = True
            if job.pid is None:
                self.drop(job)
            else:
                self.selector.unregister(job.connection)
                self.kill(job)
            return
        job.received += chunk
        if len(job.received) < 4:
            return
        (length,) = struct.unpack(">I", job.received[:4])
        if length > REQUEST_LIMIT:
            self.drop(job)
        elif len(job.received) >= 4 + length:
            try:
                job.request = json.loads(bytes(job.received[4 : 4 + length]))
                job.received = bytearray()
                self.start(job)
            except (OSError, ValueError, KeyError) as error:
                self.answer(job, {"died": f"the verification could not be started: {error}"})
                self.drop(job)

    def start(self, job):
        job.folder = tempfile.mkdtemp(prefix="verify-")
        output_read, output_write = os.pipe()
        result_read, result_write = os.pipe()
        job.pipes = [output_read, result_read]
        limit_seconds = float(job.request["time_limit"])
        job.deadline = time.monotonic() + limit_seconds + HARD_STOP_AFTER
        try:
            pid = os.fork()
        except OSError:
            os.close(output_write)
            os.close(result_write)
            raise
        if pid == 0:
            os.setpgid(0, 0)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.chdir(job.folder)
            keep = {output_write, result_write}
            self.forget(keep)
            child(self.fleet, self.client, job.request, output_write, result_write)
        try:
            os.setpgid(pid, pid)  # whichever of the two is first
        except OSError:
            pass
        job.pid = pid
        job.process_limit = job.request["limits"]["processes"]
        job.request = True  # the child has its own copy
        os.close(output_write)
        os.close(result_write)
        for end in job.pipes:
            os.set_blocking(end, False)
            self.selector.register(end, selectors.EVENT_READ, job)

    def forget(self, keep):
        """In the child: closes what belongs to the parent and to other jobs."""
        self.selector.close()
        self.control.close()
        self.listener.close()
        ends = [self.wake_read, self.wake_write]
        for job in self.jobs:
            job.connection.close()
            ends.extend(job.pipes)
        for end in ends:
            if end is not None and end not in keep:
                try:
                    os.close(end)
                except OSError:
                    pass
        self.jobs.clear()

    def collect(self, job, end, add):
        """One read; True once there is nothing more to come."""
        try:
            chunk = os.read(end, 1 << 16)
        except BlockingIOError:
            return True
        if not chunk:
            self.selector.unregister(end)
            os.close(end)
            job.pipes[job.pipes.index(end)] = None
            return True
        add(chunk)
        if len(job.result) > 2 * RESULT_LIMIT:
            self.kill(job)
        return False

    def kill(self, job):
        try:
            os.killpg(job.pid, signal.SIGKILL)
        except OSError:
            pass

    def reap(self):
        for job in [job for job in self.jobs if job.pid is not None]:
            # Looked at without being collected, so that the group's number cannot be given to someone else before the kill.
            if os.waitid(os.P_PID, job.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                continue
            self.kill(job)
            _, status = os.waitpid(job.pid, 0)
            for end, add in zip(list(job.pipes), (job.output.add, job.result.extend)):
                # What the child wrote is in the pipe already; what a left-over would still write is not waited for.
                while end is not None and not self.collect(job, end, add):
                    pass
            self.finish(job, status)

    def finish(self, job, status):
        answer = None
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0:
            answer = answer_of(bytes(job.result))
        if answer is None:
            if job.crowded:
                answer = {"died": f"the verifier had more than {job.process_limit} processes"}
            elif job.timed_out:
                answer = {"result": None, "error": {"type": "TimeoutError", "message": "the verifier did not end in time and was killed", "traceback": ""}}
            elif os.WIFSIGNALED(status):
                answer = {"died": f"the verifier's process was ended by signal {signal.Signals(os.WTERMSIG(status)).name}"}
            else:
                answer = {"died": f"the verifier's process exited with code {os.WEXITSTATUS(status)} and without a result"}
        answer["stdout"] = job.output.text()
        self.answer(job, answer)
        self.drop(job)

    def answer(self, job, answer):
        if job.cancelled:
            return
        data = json.dumps(answer).encode()
        try:
            job.connection.settimeout(10)
            job.connection.sendall(struct.pack(">I", len(data)) + data)
        except OSError:
            pass  # nobody waits any more

    def drop(self, job):
        self.jobs.discard(job)
        for end in job.pipes:
            if end is not None:
                try:
                    self.selector.unregister(end)
                except KeyError:
                    pass
                os.close(end)
        try:
            self.selector.unregister(job.connection)
        except (KeyError, ValueError):
            pass
        job.connection.close()
        if job.folder is not None:
            shutil.rmtree(job.folder, ignore_errors=True)

    def thin_out(self):
        """Ends verifications with too many processes: the limit for them does not hold for root. None can leave its group."""
        if time.monotonic() < self.next_look or not any(job.pid for job in self.jobs):
            return
        self.next_look = time.monotonic() + LOOK_EVERY
        groups = collections.Counter(filter(None, map(group_of, filter(str.isdigit, os.listdir("/proc")))))
        for job in self.jobs:
            if job.process_limit is not None and groups[job.pid] > job.process_limit:
                job.crowded = True
                self.kill(job)

    def expire(self):
        now = time.monotonic()
        for job in self.jobs:
            if job.deadline is not None and now >= job.deadline:
                job.deadline = None
                job.timed_out = True
                self.kill(job)


def group_of(process):
    """The process group of a process; none if it has just ended."""
    try:
        with open(f"/proc/{process}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[2])
    except (OSError, IndexError):
        return None


def drain(end):
    try:
        while os.read(end, 4096):
            pass
    except OSError as error:
        if error.errno != errno.EAGAIN:
            raise


def main():
    control_path, work_path = sys.argv[1:3]
    control = socket.socket(socket.AF_UNIX)
    control.connect(control_path)
    import fleet

    client = fleet.Fleet()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(work_path)
    listener.listen(512)
    listener.setblocking(False)
    # What is there now is shared with every child; not touching it keeps the pages shared.
    gc.collect()
    gc.disable()
    gc.freeze()
    ready = {"fleet": fleet.__version__, "python": sys.version.split()[0]}
    control.sendall(json.dumps(ready).encode() + b"\n")
    Worker(fleet, client, control, listener).run()


if __name__ == "__main__":
    main()
