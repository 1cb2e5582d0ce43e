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
create(lam, "later", python(source))
lam.put_function_event_invoke_config(FunctionName="later", MaximumRetryAttempts=0)


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
lam.invoke(FunctionName="later", InvocationType="Event", Payload='{"n": "second", "fail": true}')
until(lambda: any("boom" in m for m in seen("later", "ValueError")), "it fails")
api = lambda: http_call("GET", f"{ENDPOINT}/_anyfn/v1/functions/later?namespace={os.environ['ANYFN_NAMESPACE']}").json()
until(lambda: api()["events_dead"] == 1 and api()["events_ready"] + api()["events_delayed"] + api()["events_leased"] == 0, "it is set aside, nothing waits")
same(len([m for m in seen("later", "second") if m.startswith("ran")]), 1, "no retry")

old = lam.invoke_async(FunctionName="later", InvokeArgs=b'{"n": "third"}')
same((old["Status"], old["ResponseMetadata"]["HTTPStatusCode"]), (202, 202))
until(lambda: seen("later", "third"), "InvokeAsync runs")
with error("ResourceNotFoundException", 404):
    lam.invoke(FunctionName="none", InvocationType="Event")
with error("InvalidRequestContentException", 400):
    lam.invoke(FunctionName="later", InvocationType="Event", Payload=b"{not json")
