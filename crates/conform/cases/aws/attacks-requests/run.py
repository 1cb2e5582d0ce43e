from conform import *

for name, body in {"nested arrays": b'{"FunctionName":' + b"[" * 1_000_000, "nested objects": b'{"a":' * 200_000, "huge number": b'{"Timeout": 1' + b"0" * 100_000 + b"}",
                   "duplicate keys": b'{"FunctionName":"a","FunctionName":"b"}', "not UTF-8": b'{"FunctionName":"\xff"}', "lone surrogate": b'{"FunctionName":"\\ud800"}',
                   "an array": b"[]", "text": b'"x"', "nothing": b""}.items():
    answer = signed_call("POST", "/2015-03-31/functions", body, {"Content-Type": "application/json"})
    same(answer.status in (400, 413), True, f"{name}: {answer.status} {answer.body[:200]}")
    same(answer.headers["x-amzn-errortype"] is not None, True, f"{name}: x-amzn-ErrorType")
for name in ("..%2F..%2Fetc", "a%2Fb", "a%00b", "a%0d%0ab", "x" * 10_000, "%C3%BC", "%F0%9D%96%86", "a:b:c:d"):
    answer = signed_call("GET", f"/2015-03-31/functions/{name}")
    same(answer.status in (400, 404, 414), True, f"{name[:40]}: {answer.status}")
    same("set-cookie" in {k.lower() for k in answer.headers}, False)
same(http_call("GET", f"{ENDPOINT}/healthz").status, 200)
