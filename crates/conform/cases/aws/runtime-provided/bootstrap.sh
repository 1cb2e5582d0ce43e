#!/bin/bash
set -u
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"
while true; do
  heads=$(mktemp)
  event=$(curl -sS -D "$heads" "$api/invocation/next") || exit 1
  id=$(sed -n 's/^lambda-runtime-aws-request-id: *\([^[:space:]]*\).*/\1/Ip' "$heads")
  arn=$(sed -n 's/^lambda-runtime-invoked-function-arn: *\([^[:space:]]*\).*/\1/Ip' "$heads")
  deadline=$(grep -qi '^lambda-runtime-deadline-ms: *[0-9]\{13\}' "$heads" && echo true || echo false)
  trace=$(grep -qi '^lambda-runtime-trace-id: *Root=1-' "$heads" && echo true || echo false)
  rm -f "$heads"
  case "$event" in
    *fail*) curl -sS -o /dev/null -X POST -H 'Lambda-Runtime-Function-Error-Type: Own.Error' -d '{"errorMessage": "own words", "errorType": "Own.Error"}' "$api/invocation/$id/error" ;;
    *) curl -sS -o /dev/null -X POST -d "{\"event\": $event, \"handler\": \"$_HANDLER\", \"arn\": \"$arn\", \"deadline\": $deadline, \"trace\": $trace}" "$api/invocation/$id/response" ;;
  esac
done
