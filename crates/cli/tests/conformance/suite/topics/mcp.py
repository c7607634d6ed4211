"""The instance's tools for agents."""

from ..cases import ASYNC, SYNC, case
from ..checks import equal, now, raises, scored, that
from ..desk import RAISE_PRIORITY


@case("Env.mcp MCP.openai MCP.anthropic")
async def the_address_is_given_in_the_words_of_vendors(sdk):
    env = await sdk.shared()
    url = f"{env.urls.root}mcp"
    equal("the address", env.mcp.url, url)
    equal("for OpenAI", env.mcp.openai(),
          {"type": "mcp", "server_label": "helpdesk", "server_url": url, "require_approval": "never"})
    equal("for Anthropic", env.mcp.anthropic(), {"type": "url", "url": url, "name": "helpdesk"})


@case("MCP.list_tools", only=ASYNC)
async def tools_are_listed(sdk):
    tools = {tool["name"]: tool for tool in await (await sdk.shared()).mcp.list_tools()}
    that(f"there are tools: {list(tools)}", tools)
    for tool in tools.values():
        that(f"{tool['name']} is described", tool["description"] and tool["input_schema"]["type"] == "object")


@case("MCP.list_tools", only=SYNC, broken="the synchronous half uses an asynchronous client as if it were none: "
      "`TypeError` before any request")
async def the_synchronous_list_cannot_be_had(sdk):
    await raises("the list", TypeError, (await sdk.shared()).mcp.list_tools)


@case("Env.mcp")
async def a_client_of_the_protocol_does_a_task_with_the_tools(sdk):
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client
    task = await sdk.load_task(RAISE_PRIORITY)
    env = await now(task.make())
    try:
        async with streamablehttp_client(env.mcp.url) as (read, write, _), ClientSession(read, write) as session:
            await session.initialize()
            tools = {tool.name for tool in (await session.list_tools()).tools}
            that(f"the tools: {sorted(tools)}", {"get_ticket", "update_ticket"} <= tools)
            before = await session.call_tool("get_ticket", {"ticket_id": 3})
            that("a reading", not before.isError and "Label printer offline after update" in before.content[0].text)
            refused = await session.call_tool("get_ticket", {"ticket_id": 9999})
            that("what is not there", refused.isError)
            changed = await session.call_tool("update_ticket", {"ticket_id": 3, "priority": "high"})
            that("a change", not changed.isError)
        verify = task.verify_detailed if sdk.sync else task.verify_detailed_async
        scored("the work", await now(verify(env)), 1)
    finally:
        await now(env.close())
