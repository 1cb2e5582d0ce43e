from conform import *

lam, logs = client("lambda"), client("logs")
source = """
import json
def handler(event, context):
    print("ran", context.aws_request_id, json.dumps(event))
    if event.get("fail"):
        raise ValueError("boom")
    return {"did": event}
"""
sink = create(lam, "sink", python("import json\ndef handler(e, c): print('sink', json.dumps(e))"))["FunctionArn"]
arn = create(lam, "later", python(source))["FunctionArn"]
lam.put_function_event_invoke_config(FunctionName="later", MaximumRetryAttempts=0,
    DestinationConfig={"OnSuccess": {"Destination": sink}, "OnFailure": {"Destination": sink}})


def seen(name, word):
    try:
        found = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}", filterPattern=f'"{word}"')["events"]
    except logs.exceptions.ResourceNotFoundException:
        return []
    return [e["message"] for e in found]


answer = status(lam.invoke(FunctionName="later", InvocationType="Event", Payload='{"n": "first"}'), 202)
same((answer["StatusCode"], answer["Payload"].read()), (202, b""))
request_id = answer["ResponseMetadata"]["RequestId"]
ran = until(lambda: seen("later", "first"), "the event runs")
same([m.split()[:2] for m in ran if m.startswith("ran")], [["ran", request_id]], "it runs once, with the id that the caller got")
envelope = json.loads(until(lambda: [m for m in seen("sink", "first") if m.startswith("sink")], "OnSuccess")[0].split(" ", 1)[1])
has(envelope, version="1.0", requestPayload={"n": "first"}, responsePayload={"did": {"n": "first"}})
has(envelope["requestContext"], requestId=request_id, functionArn=f"{arn}:$LATEST", condition="Success", approximateInvokeCount=1)
has(envelope["responseContext"], statusCode=200, executedVersion="$LATEST")

lam.invoke(FunctionName="later", InvocationType="Event", Payload='{"n": "second", "fail": true}')
envelope = json.loads(until(lambda: [m for m in seen("sink", "second") if m.startswith("sink")], "OnFailure")[0].split(" ", 1)[1])
has(envelope["requestContext"], condition="RetriesExhausted", approximateInvokeCount=1)
has(envelope["responseContext"], statusCode=200, functionError="Unhandled")
has(envelope["responsePayload"], errorType="ValueError", errorMessage="boom")
same(len([m for m in seen("later", "second") if m.startswith("ran")]), 1, "no retry")

old = lam.invoke_async(FunctionName="later", InvokeArgs=b'{"n": "third"}')
same((old["Status"], old["ResponseMetadata"]["HTTPStatusCode"]), (202, 202))
until(lambda: seen("later", "third"), "InvokeAsync runs")
with error("ResourceNotFoundException", 404):
    lam.invoke(FunctionName="none", InvocationType="Event")
with error("InvalidRequestContentException", 400):
    lam.invoke(FunctionName="later", InvocationType="Event", Payload=b"{not json")
