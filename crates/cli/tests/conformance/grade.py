"""A judge that is a program: it gives half of all points, and says in its feedback what it was asked, for the test to compare.
A summary of its is what it was shown."""

import json
import sys

asked = json.load(sys.stdin)
if asked["kind"] == "summary":
    print(json.dumps({"summary": asked["material"]}))
    sys.exit()
answer = {"feedback": json.dumps(asked), "model_used": "none", "provider_used": "none"}
rubric = asked["rubric"]
if rubric["type"] == "structured":
    answer["criteria"] = [{"name": one["name"], "score": one["max_score"] / 2, "reasoning": "half"} for one in rubric["criteria"]]
else:
    answer["normalized_score"] = 0.5
print(json.dumps(answer))
