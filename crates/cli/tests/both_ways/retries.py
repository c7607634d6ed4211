"""Two calls whose first attempts are refused."""

import os

from fleet import Fleet

fleet = Fleet(api_key=os.environ["FLEET_API_KEY"], base_url=os.environ["FLEET_BASE_URL"])
fleet.list_regions()
fleet.trace_job("nightly")
print("done")
