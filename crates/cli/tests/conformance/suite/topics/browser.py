"""A browser beside the instance, which agents and people may drive."""

from ..cases import case
from ..checks import equal, now, that
from ..desk import request


@case("Env.browser Instance.browser Browser.start Browser.describe Browser.cdp_url Browser.devtools_url")
async def a_browser_is_started_and_reached(sdk):
    async with sdk.instance() as env:
        browser = env.browser()
        equal("its name", (browser.name, browser.uri), ("cdp", "cdp://cdp"))
        started = await now(browser.start(width=1280, height=720))
        that("it was started", started.success)
        described = await now(env.instance.browser("cdp").describe())
        equal("the same", (described.cdp_browser_url, described.cdp_page_url), (started.cdp_browser_url, started.cdp_page_url))
        url = await now(browser.cdp_url())
        equal("the browser's URL", url, described.cdp_browser_url)
        that(f"is one for CDP: {url}", url.startswith("ws://127.0.0.1:"))
        tools = await now(browser.devtools_url())
        equal("the tools' URL", tools, described.cdp_devtools_url)
        status, _, _ = await request("GET", tools)
        equal("it answers", status, 200)
        again = await now(browser.start())
        equal("starting again keeps it", again.cdp_browser_url, url)
