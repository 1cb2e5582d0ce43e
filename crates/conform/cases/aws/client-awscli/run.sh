set -eu
. "$CASE_LIB/conform.sh"
aws="$ANYFN_PARTS/awscli/bin/aws"
cd "$CASE_TMP"
printf 'def handler(event, context):\n    print("seen by the cli")\n    return {"hello": event["name"]}\n' > app.py
python3 -m zipfile -c code.zip app.py
$aws lambda create-function --function-name cli --runtime python3.12 --handler app.handler --zip-file fileb://code.zip \
  --role "arn:aws:iam::$AWS_ACCESS_KEY_ID:role/r" --query State --output text > state
want "$(cat state)" Pending
$aws lambda wait function-active-v2 --function-name cli
out=$($aws lambda invoke --function-name cli --payload '{"name": "you"}' --log-type Tail answer.json --query '[StatusCode,ExecutedVersion]' --output text)
want "$out" "200	\$LATEST"
want "$(cat answer.json)" '{"hello": "you"}'
tries=0
until $aws logs filter-log-events --log-group-name /aws/lambda/cli --filter-pattern '"seen by"' --query 'events[].message' --output text | grep -q 'seen by the cli'; do
  tries=$((tries + 1)); [ $tries -lt 20 ] || { echo "its line never came"; exit 1; }
done
want "$($aws sts get-caller-identity --query Account --output text)" "$AWS_ACCESS_KEY_ID"
$aws lambda update-function-configuration --function-name cli --timeout 9 --query Timeout --output text | grep -qx 9
$aws lambda wait function-updated-v2 --function-name cli
want "$($aws lambda publish-version --function-name cli --query Version --output text)" 1
$aws lambda create-alias --function-name cli --name prod --function-version 1 >/dev/null
$aws lambda invoke --function-name cli:prod --payload '{"name": "alias"}' answer.json >/dev/null
want "$(cat answer.json)" '{"hello": "alias"}'
want "$($aws lambda list-functions --query 'Functions[].FunctionName' --output text)" cli
$aws lambda delete-function --function-name cli
if $aws lambda get-function --function-name cli 2> error; then echo "it is still there"; exit 1; fi
grep -q 'ResourceNotFoundException.*Function not found' error
