"""A model that grades. The server of this topic has a command in its place, and asks callers for a token, which is the key."""

import base64
import contextlib
import json
import os

import fleet

from ..cases import case
from ..checks import equal, now, raises, that

@contextlib.contextmanager
def _admitted():
    """The SDK takes the token from the environment."""
    os.environ["FLEET_JUDGE_TOKEN"] = os.environ["FLEET_API_KEY"]
    try:
        yield
    finally:
        del os.environ["FLEET_JUDGE_TOKEN"]


async def _graded(env, *arguments, **named):
    with _admitted():
        return await now(env.judge.grade(*arguments, **named))


RUBRIC = fleet.Rubric(
    criteria=[fleet.Criterion("Done", 2, levels={2: "closed", 0: "open"}), fleet.Criterion("Polite", 1, description="no shouting")],
    system_prompt="Be strict.")


@case("Env.judge Judge.grade Rubric.serialize Rubric.max_score Criterion.serialize")
async def a_submission_is_graded_by_a_rubric(sdk):
    env = await sdk.shared()
    equal("the most there is", RUBRIC.max_score, 3)
    result = await _graded(
        env, RUBRIC, "I closed it.", ground_truth="closed", problem="Close it.", context="A desk.", reference_claims="It was open.",
        conversation=[{"role": "user", "content": "Close it."}], model="acme/judge-1", provider="acme", task_id="t-1")
    that("it is a number", isinstance(result, float))
    sent = _sent(result)
    equal("whose work", (sent["instance_id"], sent["submission"]), (env.instance_id, "I closed it."))
    equal("the rubric", sent["rubric"], RUBRIC.serialize())
    equal("the rest", (sent["ground_truth"], sent["problem"], sent["context"], sent["model"]),
          ("closed", "Close it.", "A desk.\n\n## Reference Claims\nIt was open.", "acme/judge-1"))
    equal("the score", (float(result), len(result.criteria), result.feedback != ""), (0.5, 2, True))
    that("its execution", result.execution_id)


@case("Judge.grade")
async def a_submission_is_graded_by_a_text(sdk):
    result = await _graded(await sdk.shared(), "Is it polite?", "Please.")
    equal("the rubric", _sent(result)["rubric"], {"type": "string", "text": "Is it polite?"})


@case("Judge.grade Image.s3 Image.from_url Image.from_base64 Image.from_env Image.serialize File.s3 File.from_base64 "
      "File.from_env File.serialize")
async def images_and_files_are_sent_along(sdk):
    async with sdk.instance("office") as env:
        await _images_and_files(env)


async def _images_and_files(env):
    data = base64.b64encode(b"picture").decode()
    images = {"a": fleet.Image.s3("s3://b/k.png"), "b": fleet.Image.from_url("https://h.example/i.png"),
              "c": fleet.Image.from_base64(data, "i.jpg"), "d": fleet.Image.from_env(env, "plot.png")}
    files = {"a": fleet.File.s3("s3://b/k.pdf"), "b": fleet.File.from_base64(data, "part.step"),
             "c": fleet.File.from_env(env, "out.csv")}
    sent = _sent(await _graded(env, "Is it right?", agentic=True, images=images, files=files, collect={"all": ["*.png"]}, max_turns=3))
    equal("images", [image["source"] for image in sent["images"]], ["s3", "url", "base64", "collect"])
    equal("files", [file["source"] for file in sent["files"]], ["s3", "base64", "collect"])
    equal("what else", (sent["agentic"], sent["collect"], sent["max_turns"]), (True, {"all": ["*.png"]}, 3))


@case("Judge.grade")
async def nobody_is_graded_without_the_token(sdk):
    env = await sdk.shared()
    await raises("no token", sdk.errors.FleetAuthenticationError, lambda: env.judge.grade("Is it polite?", "Please."))


def _sent(result):
    """The request as the judge's command saw it; it says so in its feedback."""
    return json.loads(result.feedback)
