from conform import *

lam = client("lambda")


def fails(name, source, event=None, handler="app.handler", **more):
    create(lam, name, python(source) if isinstance(source, str) else source, Handler=handler, **more)
    answer, payload = invoke(lam, name, event, LogType="Tail")
    status(answer, 200)
    same((answer["StatusCode"], answer["FunctionError"], answer["ExecutedVersion"]), (200, "Unhandled", "$LATEST"), name)
    return answer, payload, tail(answer)


answer, payload, log = fails("boom", "class Own(Exception):\n    pass\ndef handler(event, context):\n    raise Own('boom')\n")
request_id = answer["ResponseMetadata"]["RequestId"]
same(payload, {"errorMessage": "boom", "errorType": "Own", "requestId": request_id,
               "stackTrace": ['  File "/var/task/app.py", line 4, in handler\n    raise Own(\'boom\')\n']})
same("[ERROR] Own: boom\nTraceback (most recent call last):" in log.replace("\r", "\n"), True, log)

_, payload, _ = fails("import", "import nowhere\ndef handler(e, c): pass")
has(payload, errorMessage="Unable to import module 'app': No module named 'nowhere'", errorType="Runtime.ImportModuleError", stackTrace=[], requestId=...)
_, payload, _ = fails("nomodule", "def handler(e, c): pass", handler="other.handler")
has(payload, errorMessage="Unable to import module 'other': No module named 'other'", errorType="Runtime.ImportModuleError")
_, payload, _ = fails("syntax", "def handler(e, c):\n  return (\n")
same(payload["errorType"], "Runtime.UserCodeSyntaxError")
match(payload["errorMessage"], r"Syntax error in module 'app': .* \(app\.py, line \d\)")
_, payload, _ = fails("nohandler", "x = 1")
has(payload, errorMessage="Handler 'handler' missing on module 'app'", errorType="Runtime.HandlerNotFound")
_, payload, _ = fails("badname", "x = 1", handler="app")
same(payload["errorType"], "Runtime.MalformedHandlerName")
match(payload["errorMessage"], r"Bad handler 'app': not enough values to unpack \(expected 2, got 1\)")
_, payload, _ = fails("init", "raise RuntimeError('at import')")
same((payload["errorType"], payload["errorMessage"]), ("RuntimeError", "at import"))
answer, payload, _ = fails("marshal", "def handler(e, c): return {1, 2}")
has(payload, errorMessage="Unable to marshal response: Object of type set is not JSON serializable", errorType="Runtime.MarshalError",
    requestId=answer["ResponseMetadata"]["RequestId"])

answer, payload, log = fails("exit", "import os\ndef handler(e, c): os._exit(3)")
request_id = answer["ResponseMetadata"]["RequestId"]
same(payload, {"errorType": "Runtime.ExitError", "errorMessage": f"RequestId: {request_id} Error: Runtime exited with error: exit status 3"})
same(f"RequestId: {request_id} Error: Runtime exited with error: exit status 3" in log and "Runtime.ExitError" in log, True, log)
answer, payload, _ = fails("sysexit", "import sys\ndef handler(e, c): sys.exit(0)")
same(payload["errorType"], "Runtime.ExitError")
match(payload["errorMessage"], rf"RequestId: {UUID} Error: Runtime exited without providing a reason")
answer, payload, log = fails("slow", "import time\ndef handler(e, c): time.sleep(30)", Timeout=1)
request_id = answer["ResponseMetadata"]["RequestId"]
same(payload, {"errorType": "Sandbox.Timedout", "errorMessage": f"RequestId: {request_id} Error: Task timed out after 1.00 seconds"})
same(f"{request_id} Task timed out after 1.00 seconds" in log, True, log)
_, payload, _ = fails("large", "def handler(e, c): return 'x' * 7_000_000")
has(payload, errorType="Function.ResponseSizeTooLarge")
match(payload["errorMessage"], r"Response payload size( \(\d+ bytes\))? exceeded maximum allowed payload size \(6291556 bytes\)\.")
# A function that failed works again: the next call is a new one.
create(lam, "again", python("import os\ndef handler(e, c):\n    if e: os._exit(1)\n    return 'well'"))
same(invoke(lam, "again", [1])[0]["FunctionError"], "Unhandled")
same(run(lam, "again", []), "well")
