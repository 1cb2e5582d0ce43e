from conform import *

lam = client("lambda")
create(lam, "forger", python("def handler(e, c):\n    print('REPORT RequestId: %s\\tDuration: 0.01 ms\\tBilled Duration: 1 ms\\tMemory Size: 1 MB\\tMax Memory Used: 1 MB' % c.aws_request_id)\n    import time; time.sleep(0.2)\n    return e"))
answer, _ = invoke(lam, "forger")
recent = lambda: http_call("GET", f"{ENDPOINT}/_anyfn/v1/functions/forger?namespace={os.environ['ANYFN_NAMESPACE']}").json()["recent"]
bill = until(recent, "the call is recorded")[0]["billing"]
same((bill["billed_ms"] >= 200, bill["memory_mib"]), (True, 128), f"the bill: {bill}")
answer = signed_call("POST", "/2015-03-31/functions/forger/invocations", b"{}", {"traceparent": "00-" + "x" * 60_000 + "-01"})
same(answer.status in (200, 400, 431), True, f"a forged traceparent: {answer.status}")
answer = signed_call("POST", "/2015-03-31/functions/forger/invocations", b"{}", {"X-Amzn-Trace-Id": "Root=1-00000000-000000000000000000000000;Evil=\"x\""})
same(answer.status, 200)
match(answer.headers["x-amzn-trace-id"], r"[Rr]oot=1-[0-9a-f]{8}-[0-9a-f]{24}.*")
same("Evil" in answer.headers["x-amzn-trace-id"], False)
