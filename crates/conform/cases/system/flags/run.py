import concurrent.futures
from conform import *

lam = client("lambda", config={"max_pool_connections": 10})
here = {r["runtime"] for r in json.loads(cli("--json", "doctor").stdout)["runtimes"]}
missing = next(r for r in ("nodejs24.x", "nodejs22.x", "nodejs18.x", "python3.14", "python3.9") if r not in here)
create(lam, "exact", node("export const handler = async () => 1;") if "node" in missing else python(), runtime=missing, wait=False)
state = until(lambda: (lambda c: c if c["State"] != "Pending" else None)(lam.get_function_configuration(FunctionName="exact")), "it settles")
same(state["State"], "Failed", f"{missing} is not here, and nothing else may serve it")
create(lam, "net", python("""
import socket
def handler(event, context):
    out = []
    for host, port in (("1.1.1.1", 53), ("8.8.8.8", 443), ("example.com", 80)):
        try:
            socket.create_connection((host, port), timeout=1).close()
            out.append("connected")
        except OSError as fault:
            out.append(type(fault).__name__)
    return out
"""))
same("connected" in run(lam, "net"), False, "nothing leaves")
create(lam, "echo")
same(len(run(lam, "echo", json.dumps("x" * 90_000))), 90_000)
with error("RequestTooLargeException", 413, r"Request must be smaller than 102400 bytes for the InvokeFunction operation"):
    lam.invoke(FunctionName="echo", Payload=json.dumps("x" * 110_000))
create(lam, "slow", python("import time\ndef handler(e, c): time.sleep(2)"))


def one(_):
    try:
        return str(run(lam, "slow"))
    except Exception as fault:
        return fault.response["Error"]["Code"] + " " + fault.response.get("Reason", "")


with concurrent.futures.ThreadPoolExecutor(4) as pool:
    seen = sorted(pool.map(one, range(4)))
same(seen, ["None", "None"] + ["TooManyRequestsException ConcurrentInvocationLimitExceeded"] * 2, "two of the account at once")
