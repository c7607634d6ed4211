"""The uploader of an agent's traffic, which reads a log as it grows."""

import asyncio
import json
import pathlib
import tempfile

import fleet
from fleet.eval import TrafficUploader

from ..cases import ASYNC, case
from ..checks import equal


def _entry(number, host="api.vendor.example"):
    return {"type": "http", "request": {"method": "POST", "url": f"https://{host}/v1/{number}"}, "response": {"status_code": 200}}


async def _uploaded(uploader, count):
    """Waits until so many entries have been taken; what asks for more than there are fails the test by its time."""
    for _ in range(2000):
        if uploader.stats["uploaded"] >= count:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"only {uploader.stats} of {count}")


@case("TrafficUploader.start TrafficUploader.stop TrafficUploader.stats", only=ASYNC)
async def a_log_is_uploaded_while_it_grows(sdk):
    job = await fleet.job_async(sdk.unique("traffic"))
    with tempfile.TemporaryDirectory() as folder:
        log = pathlib.Path(folder, "traffic.jsonl")
        uploader = TrafficUploader(job, log, whitelist={"vendor.example"})
        await uploader.start()
        await uploader.start()  # a second start is none
        with log.open("a") as file:
            file.writelines(json.dumps(_entry(number)) + "\n" for number in range(150))
            file.write("no JSON\n" + json.dumps(_entry(0, "elsewhere.example")) + "\n")
        await _uploaded(uploader, 150)
        with log.open("a") as file:
            file.write(json.dumps(_entry(151)) + "\n")
        await uploader.stop()
        await uploader.stop()  # and so is a second stop
        equal("what became of it", uploader.stats, {"read": 152, "uploaded": 151, "filtered": 1})
