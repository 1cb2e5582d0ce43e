from conform import *

lam = client("lambda")
source = """
import sys
def handler(event, context):
    if event == "context":
        c = context.client_context
        return c and [c.client.app_title, c.custom, c.env]
    if event == "many":
        for n in range(1000):
            print("line", n)
        return None
    if event == "log":
        print("to stdout"); print("to stderr", file=sys.stderr)
    return event
"""
create(lam, "calls", python(source), Publish=True)
for event in ({"a": [1, 2.5, None, True, "ü"]}, [], "text", 7, None, True, {"deep": {"er": "x" * 1000}}):
    same(run(lam, "calls", json.dumps(event)), event)
answer, payload = invoke(lam, "calls", {"x": 1})
status(answer, 200)
has(answer, StatusCode=200, ExecutedVersion="$LATEST", FunctionError=None, LogResult=None)
headers = answer["ResponseMetadata"]["HTTPHeaders"]
same(headers["content-type"], "application/json")
match(headers["x-amzn-requestid"], UUID, "x-amzn-RequestId")
match(headers["x-amzn-trace-id"], r"[Rr]oot=1-[0-9a-f]{8}-[0-9a-f]{24};.*", "X-Amzn-Trace-Id")
same(run(lam, "calls", b""), {}, "no payload is an empty object")

answer, payload = invoke(lam, "calls", '"log"', LogType="Tail")
lines = tail(answer).splitlines()
request_id = answer["ResponseMetadata"]["RequestId"]
same([line for line in lines if line.startswith("to ")], ["to stdout", "to stderr"])
same(lines.count(f"START RequestId: {request_id} Version: $LATEST"), 1, f"START in {lines}")
same(lines.count(f"END RequestId: {request_id}"), 1, f"END in {lines}")
match(next(l for l in lines if l.startswith("REPORT")), rf"REPORT RequestId: {request_id}\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB\tMax Memory Used: \d+ MB\t?.*")
answer, _ = invoke(lam, "calls", '"many"', LogType="Tail")
text = tail(answer)
same(len(text.encode()) <= 4096, True, "at most 4 KB")
same("line 999" in text and "line 0\n" not in text, True, "the last lines")

dry = status(lam.invoke(FunctionName="calls", InvocationType="DryRun", Payload="{}"), 204)
same((dry["StatusCode"], dry["Payload"].read()), (204, b""))
answer, _ = invoke(lam, "calls", {}, Qualifier="1")
same(answer["ExecutedVersion"], "1")
context = base64.b64encode(json.dumps({"client": {"app_title": "App"}, "custom": {"k": "v"}, "env": {"e": "1"}}).encode()).decode()
same(run(lam, "calls", '"context"', ClientContext=context), ["App", {"k": "v"}, {"e": "1"}])
same(run(lam, "calls", '"context"'), None, "no client context")

with error("InvalidRequestContentException", 400, r"Could not parse request body into json: .*", Type="User"):
    lam.invoke(FunctionName="calls", Payload=b"{not json")
with error("InvalidRequestContentException", 400):
    lam.invoke(FunctionName="calls", ClientContext="***")
same(len(run(lam, "calls", json.dumps("x" * 6_000_000))), 6_000_000, "nearly 6 MB both ways")
with error("RequestTooLargeException", 413, r"Request must be smaller than 6291456 bytes for the InvokeFunction operation"):
    lam.invoke(FunctionName="calls", Payload=json.dumps("x" * 6_300_000))
with error("RequestTooLargeException", 413, r"1100002 byte payload is too large for the Event invocation type \(limit 1048576 bytes\)"):
    lam.invoke(FunctionName="calls", InvocationType="Event", Payload=json.dumps("x" * 1_100_000))
