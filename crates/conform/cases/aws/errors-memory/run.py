from conform import *

lam = client("lambda")
create(lam, "eats", python("def handler(e, c):\n    kept = []\n    while e:\n        kept.append(bytearray(b'x') * (8 << 20))\n    return 'fed'"), MemorySize=128)
create(lam, "neighbour", python("import uuid\nWHO = str(uuid.uuid4())\ndef handler(e, c): return WHO"))
before = run(lam, "neighbour")
answer, payload = invoke(lam, "eats", [1], LogType="Tail")
request_id = answer["ResponseMetadata"]["RequestId"]
same(answer["FunctionError"], "Unhandled")
has(payload, errorType="Runtime.OutOfMemory", errorMessage=f"RequestId: {request_id} Error: Runtime exited with error: signal: killed")
same("Max Memory Used: 128 MB" in tail(answer), True, tail(answer))
same(run(lam, "eats", []), "fed", "it works again")
same(run(lam, "neighbour"), before, "the neighbour's instance lives")
