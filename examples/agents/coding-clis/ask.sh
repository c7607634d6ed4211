#!/bin/sh
# ask.sh PROGRAM [ARGUMENT]…: runs a coding CLI on the task. The argument {} is replaced by the
# prompt; what the program prints becomes the final answer.
set -u

app=${FLEET_APP_URL:-${FLEET_ENV_URL:?start this with "harness run"}}
prompt="You work at a help desk. Its application is at $app and has a JSON API: GET ${app%/}/api lists what there is. \
Use curl for everything and do exactly what is asked for, nothing else. There is a handbook under /api/articles. \
If a question is asked, end with the answer alone on the last line.

The task: ${FLEET_TASK_PROMPT:?start this with \"harness run\"}"

# Without an app there is nothing to ask a model for: 75 asks the harness for another attempt.
curl --silent --fail --noproxy '*' --max-time 20 --output /dev/null "${app%/}/health" || exit 75

count=$#
while [ "$count" -gt 0 ]; do
    argument=$1
    shift
    [ "$argument" = '{}' ] && argument=$prompt
    set -- "$@" "$argument"
    count=$((count - 1))
done

answer=$(mktemp) || exit 1
trap 'rm -f "$answer"' EXIT
"$@" >"$answer"
code=$?
cat "$answer"

# The answer as a JSON string: backslashes, quotes and tabs escaped, lines joined, the rest of the
# control characters (colours, progress) left out.
if [ -n "${HARNESS_RESULT_FILE:-}" ]; then
    tab=$(printf '\t')
    text=$(sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e "s/$tab/\\\\t/g" "$answer" | tr -d '\000-\011\013-\037' |
        sed -e ':join' -e '$!{' -e 'N' -e 'bjoin' -e '}' -e 's/\n/\\n/g')
    completed=false
    [ "$code" -eq 0 ] && completed=true
    printf '{"completed": %s, "final_answer": "%s"}\n' "$completed" "$text" >"$HARNESS_RESULT_FILE"
fi
exit "$code"
