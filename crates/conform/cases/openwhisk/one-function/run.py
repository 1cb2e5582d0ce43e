from conform import *

AUTH = base64.b64encode(f"{ACCOUNT}:x".encode()).decode()


def whisk(method, path, body=None, want=200):
    url = f"{ENDPOINT}/api/v1/namespaces/_/{path}"
    headers = {"Authorization": f"Basic {AUTH}", "Content-Type": "application/json"}
    answer = http_call(method, url, json.dumps(body) if body is not None else None, headers=headers)
    same(answer.status, want, f"{method} {path}: {answer.body[:300]}")
    return answer.json()


aws = client("lambda")
whisk("PUT", "actions/hello", {"exec": {"kind": "python:3", "code": "def main(p):\n    print('said')\n    return {'hello': p.get('name'), 'd': p.get('d')}\n"},
                               "parameters": [{"key": "d", "value": "default"}]})
names = [f["FunctionName"] for f in aws.list_functions()["Functions"]]
same(names, ["hello"])
answer = aws.invoke(FunctionName="hello", Payload=b'{"name": "lambda"}', LogType="Tail")
same(json.load(answer["Payload"]), {"hello": "lambda", "d": "default"})
same("said" in base64.b64decode(answer["LogResult"]).decode(), True, "the log's tail")
activations = whisk("GET", "activations?docs=true")
same(len(activations), 1, "Lambda's call is an activation")
has(activations[0], name="hello", namespace=f"{ACCOUNT}.{REGION}")
same(activations[0]["response"]["result"], {"hello": "lambda", "d": "default"})
whisk("PUT", "actions/bad", {"exec": {"kind": "python:3", "code": "def main(p):\n    return {'error': 'no'}\n"}})
failed = aws.invoke(FunctionName="bad", Payload=b"{}")
same((failed["FunctionError"], json.load(failed["Payload"])), ("Unhandled", {"error": "no"}))
queued = aws.invoke(FunctionName="hello", InvocationType="Event", Payload=b'{"name": "event"}')
same(queued["StatusCode"], 202)
until(lambda: any(a["response"]["result"].get("hello") == "event" for a in whisk("GET", "activations?docs=true")), "the event is an activation")

aws.create_function(FunctionName="from-lambda", Runtime="python3.12", Handler="app.handler", Role=ROLE, Code={"ZipFile": python("def handler(e, c):\n    if 'fail' in e: raise ValueError('boom')\n    return e.get('give', {'got': e, 'arn': c.invoked_function_arn})\n")})
aws.get_waiter("function_active_v2").wait(FunctionName="from-lambda", WaiterConfig={"Delay": 1})
action = next(a for a in whisk("GET", "actions") if a["name"] == "from-lambda")
same([a["value"] for a in action["annotations"] if a["key"] == "exec"], ["python:3.12"])
done = whisk("POST", "actions/from-lambda?blocking=true", {"a": 1})
same(done["response"]["result"], {"got": {"a": 1}, "arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:from-lambda"})
same(whisk("GET", f"activations/{done['activationId']}"), done)
same(whisk("POST", "actions/from-lambda?blocking=true&result=true", {"give": 7}), {"result": 7})
broken = whisk("POST", "actions/from-lambda?blocking=true", {"fail": 1}, want=502)
same(broken["response"]["result"]["error"]["errorType"], "ValueError")
later = whisk("POST", "actions/from-lambda", {}, want=202)
kept = until(lambda: (lambda a: a if a.status == 200 else None)(http_call("GET", f"{ENDPOINT}/api/v1/namespaces/_/activations/{later['activationId']}", headers={"Authorization": f"Basic {AUTH}"})), "that it ended is kept")
has(kept.json(), name="from-lambda")
whisk("PUT", "actions/both", {"exec": {"kind": "sequence", "components": ["from-lambda", "hello"]}})
same(whisk("POST", "actions/both?blocking=true&result=true", {"give": {"name": "sequence"}}), {"hello": "sequence", "d": "default"})
same(json.load(aws.invoke(FunctionName="both", Payload=b'{"give": {"name": "aws"}}')["Payload"]), {"hello": "aws", "d": "default"})
