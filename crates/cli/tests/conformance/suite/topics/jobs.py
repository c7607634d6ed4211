"""Jobs, which only the synchronous half knows."""

import fleet

from ..cases import SYNC, case
from ..checks import equal, now, raises, that
from ..desk import RAISE_PRIORITY


@case("Fleet.list_jobs Fleet.get_job", only=SYNC)
async def jobs_are_listed_and_read(sdk):
    client, name = sdk.client(), sdk.unique("job")
    job = fleet.job(name)
    listed = {entry.id: entry for entry in client.list_jobs()}
    equal("listed", (listed[job].name, bool(listed[job].status), bool(listed[job].created_at)), (name, True, True))
    found = client.get_job(job)
    equal("read", (found.id, found.name), (job, name))
    error = await raises("one that is not there", sdk.errors.FleetAPIError, lambda: sdk.client(max_retries=0).get_job("nothing"))
    equal("status", error.status_code, 404)


@case("Fleet.create_job", only=SYNC, remark="`harness local` runs no jobs; the case sees that it says so, as an error")
async def a_job_that_nobody_runs_is_refused(sdk):
    client = sdk.client(max_retries=0)
    error = await raises("a job", sdk.errors.FleetAPIError, lambda: client.create_job(
        models=["acme/agent-1"], name=sdk.unique("job"), task_keys=[RAISE_PRIORITY], pass_k=2, max_steps=5, mode="tool-use",
        system_prompt="Be brief.", model_prompts={"acme/agent-1": "Be quick."}))
    that(f"says that it is not run here: {error}", error.status_code == 501)
