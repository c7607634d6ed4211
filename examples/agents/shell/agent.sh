#!/bin/sh
# An agent in forty lines: it can do one thing, "Set the status of ticket N to S", and says so
# when it is asked for anything else. It needs a POSIX shell, sed and curl.
set -u

app=${FLEET_APP_URL:-${FLEET_ENV_URL:?start this with "harness run"}}
app=${app%/}
prompt=${FLEET_TASK_PROMPT:?start this with "harness run"}

# finish EXIT_CODE JSON: leaves the result and ends.
finish() {
    if [ -n "${HARNESS_RESULT_FILE:-}" ]; then
        printf '%s\n' "$2" >"$HARNESS_RESULT_FILE"
    else
        printf '%s\n' "$2"
    fi
    exit "$1"
}

# The two details, out of the words of the prompt.
wanted=$(printf '%s\n' "$prompt" | sed -n 's/.*[Ss]et the status of ticket \([0-9][0-9]*\) to \([a-z]*\).*/\1 \2/p')
if [ -z "$wanted" ]; then
    finish 1 '{"completed": false, "error": "I can only set the status of a ticket", "steps_taken": 0}'
fi
ticket=${wanted% *}
status=${wanted#* }

echo "STEP 1: set ticket $ticket to $status"
code=$(curl --silent --show-error --noproxy '*' --max-time 20 --output /dev/null --write-out '%{http_code}' \
    --request PATCH --header 'content-type: application/json' --data "{\"status\": \"$status\"}" \
    "$app/api/tickets/$ticket")

case $code in
    200) finish 0 "{\"completed\": true, \"final_answer\": \"Ticket $ticket is $status.\", \"steps_taken\": 1}" ;;
    # No answer or a broken server is not the agent's fault: 75 asks for another attempt.
    000 | 5*) finish 75 '{"completed": false, "error": "the app does not answer", "error_kind": "infrastructure", "steps_taken": 1}' ;;
    *) finish 1 "{\"completed\": false, \"error\": \"the app answered $code\", \"steps_taken\": 1}" ;;
esac
