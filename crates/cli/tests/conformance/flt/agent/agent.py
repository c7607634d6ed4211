"""An agent in the form that `flt eval run --local` starts: it raises the priority of ticket 3 through the app, and logs a session."""

import json
import os
import urllib.request

import fleet

task_key, instance_id = os.environ["FLEET_TASK_KEY"], os.environ["FLEET_INSTANCE_ID"]
app = fleet.env.get(instance_id).urls.app[0]
session = fleet.session(job_id=os.environ["FLEET_JOB_ID"], model=os.environ["FLEET_MODEL"], task_key=task_key, instance_id=instance_id)
asked = {"role": "user", "content": os.environ["FLEET_TASK_PROMPT"]}
body = json.dumps({"priority": "high"}).encode()
call = urllib.request.Request(f"{app}api/tickets/3", data=body, method="PATCH", headers={"Content-Type": "application/json"})
urllib.request.build_opener(urllib.request.ProxyHandler({})).open(call, timeout=30).close()
session.log([asked], {"role": "assistant", "content": "Raised."})
print("STEP: raised")
print(json.dumps({"task_key": task_key, "completed": True, "final_answer": "done", "steps_taken": 1, "session_id": session.session_id}))
