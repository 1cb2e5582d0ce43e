from conform import *

lam = client("lambda")
source = """
export const handler = awslambda.streamifyResponse(async (event, stream) => {
  if (event.fail === "before") throw new RangeError("early");
  stream.setContentType("text/plain");
  stream.write("one ");
  await new Promise((done) => setTimeout(done, 300));
  if (event.fail === "within") throw new RangeError("late");
  stream.write("two");
  stream.end();
});
"""
create(lam, "streams", node(source), runtime="nodejs22.x")
create(lam, "buffers", python("def handler(e, c): return {'whole': 1}"))


def stream(name, event, **more):
    answer = status(lam.invoke_with_response_stream(FunctionName=name, Payload=json.dumps(event), **more), 200)
    events = list(answer["EventStream"])
    chunks = [e["PayloadChunk"]["Payload"] for e in events if "PayloadChunk" in e]
    complete = [e["InvokeComplete"] for e in events if "InvokeComplete" in e]
    same((len(complete), "InvokeComplete" in events[-1]), (1, True), "one InvokeComplete at the end")
    return answer, chunks, complete[0]


answer, chunks, complete = stream("streams", {}, LogType="Tail")
same(b"".join(chunks), b"one two")
same(len(chunks) >= 2, True, f"pieces as they were written: {chunks}")
has(answer, StatusCode=200, ExecutedVersion="$LATEST", ResponseStreamContentType=...)
has(complete, ErrorCode=None, LogResult=None)

_, chunks, complete = stream("streams", {"fail": "within"})
same(b"".join(chunks), b"one ")
has(complete, ErrorCode=..., ErrorDetails=...)
same("late" in complete["ErrorDetails"], True, complete["ErrorDetails"])
_, chunks, complete = stream("streams", {"fail": "before"})
has(complete, ErrorCode=...)
same("early" in complete["ErrorDetails"] + b"".join(chunks).decode(), True, f"{complete} {chunks}")

_, chunks, complete = stream("buffers", {}, LogType="Tail")
same(json.loads(b"".join(chunks)), {"whole": 1})
has(complete, ErrorCode=None, LogResult=...)
same("REPORT RequestId" in tail(complete), True, "the log's tail")
same(run(lam, "streams", b"{}") in (b"one two", "one two"), True, "a streaming function called without streaming")
dry = lam.invoke_with_response_stream(FunctionName="buffers", InvocationType="DryRun")
same(dry["StatusCode"], 204)
with error("ResourceNotFoundException", 404):
    lam.invoke_with_response_stream(FunctionName="none")
