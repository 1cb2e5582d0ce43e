from conform import *

NS = f"namespace={os.environ['ANYFN_NAMESPACE']}"


def api(method, path, body=None, want=200, **more):
    url = f"{ENDPOINT}/_anyfn/v1/{path}{'&' if '?' in path else '?'}{NS}"
    answer = http_call(method, url, json.dumps(body) if isinstance(body, dict) else body, **more)
    same(answer.status, want, f"{method} {path}: {answer.body[:300]}")
    return answer


def deploy(source, **more):
    return {"zip": base64.b64encode(python(source)).decode(), "runtime": "python3.12", "handler": "app.handler", **more}


same(api("GET", "functions").json(), {"functions": [], "next": None})
source = "import os\ndef handler(e, c):\n    print('said')\n    if e.get('fail'): raise ValueError('boom')\n    return [e, os.environ.get('GREETING'), c.aws_request_id]\n"
made = api("PUT", "functions/one", deploy(source, env={"GREETING": "hi"}, timeout_ms=5000, memory_mib=256, description="d")).json()
has(made, name="one", namespace=os.environ["ANYFN_NAMESPACE"], state="active", runtime="python3.12", handler="app.handler", memory_mib=256,
    timeout_ms=5000, description="d", env=["GREETING"], versions=0)
same(made["url"], None, "url")
answer = api("POST", "functions/one/invoke?tail=1", '{"a": 1}')
same(answer.json()[:2], [{"a": 1}, "hi"])
same((answer.headers["anyfn-outcome"], answer.headers["anyfn-version"]), ("returned", "$LATEST"))
match(answer.headers["anyfn-invocation"], UUID)
same(answer.headers["anyfn-invocation"], answer.json()[2], "the id that the function sees")
same("said" in base64.b64decode(answer.headers["anyfn-log-tail"]).decode(), True)
has(json.loads(answer.headers["anyfn-billing"]), cold=True, memory_mib=256, duration_us=..., billed_ms=..., init_us=..., max_memory_mib=...)
same(json.loads(api("POST", "functions/one/invoke", "{}").headers["anyfn-billing"])["cold"], False, "warm")
failed = api("POST", "functions/one/invoke", '{"fail": 1}')
same(failed.headers["anyfn-outcome"], "failed")
has(failed.json(), errorType="ValueError", errorMessage="boom")
queued = api("POST", "functions/one/invoke?mode=queue", '{"queued": 1}', want=202)
same(queued.headers["anyfn-outcome"], "accepted")
same(json.loads(api("POST", "functions/one/invoke", "").body)[0], {}, "no body is an empty object")
described = until(lambda: (lambda d: d if len(d["recent"]) >= 5 else None)(api("GET", "functions/one").json()), "five calls are recorded")
same(sorted({r["result"] for r in described["recent"]}), ["FunctionFailed", "Returned"])
lines = [json.loads(line) for line in api("GET", "functions/one/logs?limit=1000").body.splitlines()]
same(sum(line["text"].strip() == "said" for line in lines), 5)
has(lines[0], at=..., stream=..., text=...)
same(len(api("GET", "functions/one/logs?limit=2").body.splitlines()), 2)
with_url = api("PUT", "functions/two", deploy("def handler(e, c): return e['rawPath']", url=True)).json()
same(url_call(with_url["url"], path="/x/y").body, b"/x/y")
page = api("GET", "functions?limit=1").json()
same(([f["name"] for f in page["functions"]], page["next"] is None), (["one"], False))
page = api("GET", f"functions?limit=1&after={page['next']}").json()
same([f["name"] for f in page["functions"]], ["two"])
replaced = api("PUT", "functions/one", deploy("def handler(e, c): return 'new'")).json()
same((replaced["env"], replaced["memory_mib"]), ([], 128), "a deploy says all of it")
same(api("POST", "functions/one/invoke", "{}").json(), "new")
info = api("GET", "server").json()
has(info, version=..., namespace=..., isolation=..., instances=...)

problem = lambda answer, code: has(answer.json(), code=code, message=...)
problem(api("GET", "functions/none", want=404), "function_not_found")
problem(api("POST", "functions/none/invoke", "{}", want=404), "function_not_found")
problem(api("GET", "nothing", want=404), "route_not_found")
problem(api("PUT", "functions/bad", "{not json", want=400), "body_invalid")
problem(api("PUT", "functions/bad", deploy("", role="admin"), want=400), "body_invalid")
problem(api("PUT", "functions/bad", {**deploy(""), "zip": "***"}, want=400), "body_invalid")
problem(api("PUT", "functions/bad", {**deploy(""), "zip": base64.b64encode(b"nothing").decode()}, want=400), "package_invalid")
problem(api("POST", "functions/one/invoke?mode=maybe", "{}", want=400), "mode_invalid")
for name in ("..%2f..%2fx", "a%2Fb", "a%00b", "x" * 300, "%C3%BC"):
    answer = http_call("PUT", f"{ENDPOINT}/_anyfn/v1/functions/{name}?{NS}", json.dumps(deploy("")))
    same(answer.status in (400, 404), True, f"{name}: {answer.status} {answer.body}")
api("DELETE", "functions/one", want=204)
problem(api("DELETE", "functions/one", want=404), "function_not_found")
other = http_call("GET", f"{ENDPOINT}/_anyfn/v1/functions/two?namespace=999999999999.us-east-1")
same(other.status, 404, "another namespace")
