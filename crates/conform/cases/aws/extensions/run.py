from conform import *

lam = client("lambda")
layer = lam.publish_layer_version(LayerName="ext", Content={"ZipFile": zipped({"extensions/watcher": (open("watcher.py").read(), 0o755)})})["LayerVersionArn"]
source = """
import json, os, time
def handler(event, context):
    for _ in range(50):
        if os.path.exists("/tmp/seen") and context.aws_request_id in open("/tmp/seen").read():
            break
        time.sleep(0.02)
    return [json.loads(line) for line in open("/tmp/seen")]
"""
create(lam, "watched", python(source), Layers=[layer])
answer, seen = invoke(lam, "watched")
same(seen[0]["status"], 200)
has(seen[0]["body"], functionName="watched", functionVersion="$LATEST", handler="app.handler")
match(seen[0]["id"], UUID, "Lambda-Extension-Identifier")
has(seen[1], eventType="INVOKE", requestId=answer["ResponseMetadata"]["RequestId"], invokedFunctionArn=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:watched")
has(seen[1], deadlineMs=..., tracing=...)
answer, seen = invoke(lam, "watched")
same([e.get("requestId") for e in seen[2:]], [answer["ResponseMetadata"]["RequestId"]], "the next call too")
broken = lam.publish_layer_version(LayerName="broken", Content={"ZipFile": zipped({"extensions/broken": ("#!/bin/sh\nexit 1\n", 0o755)})})["LayerVersionArn"]
create(lam, "crashes", python(), Layers=[broken])
answer, payload = invoke(lam, "crashes")
same(answer["FunctionError"], "Unhandled")
same(payload["errorType"], "Extension.Crash")
