import concurrent.futures
from conform import *

lam = client("lambda", config={"max_pool_connections": 10})
create(lam, "bounded", python("import time\ndef handler(e, c):\n    time.sleep(e.get('s', 0))\n    return 1"))
same("ReservedConcurrentExecutions" in lam.get_function_concurrency(FunctionName="bounded"), False)
account = status(lam.get_account_settings(), 200)
has(account["AccountLimit"], ConcurrentExecutions=1000, UnreservedConcurrentExecutions=1000, TotalCodeSize=80530636800,
    CodeSizeUnzipped=262144000, CodeSizeZipped=52428800)
has(account["AccountUsage"], FunctionCount=1, TotalCodeSize=...)
put = status(lam.put_function_concurrency(FunctionName="bounded", ReservedConcurrentExecutions=0), 200)
same(put["ReservedConcurrentExecutions"], 0)
same(lam.get_function_concurrency(FunctionName="bounded")["ReservedConcurrentExecutions"], 0)
with error("TooManyRequestsException", 429, r"Rate Exceeded\.", Reason="ReservedFunctionConcurrentInvocationLimitExceeded"):
    lam.invoke(FunctionName="bounded")
lam.put_function_concurrency(FunctionName="bounded", ReservedConcurrentExecutions=2)
same(lam.get_function(FunctionName="bounded")["Concurrency"], {"ReservedConcurrentExecutions": 2})
same(lam.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"], 998)
run(lam, "bounded")


def one(_):
    try:
        return run(lam, "bounded", {"s": 2})
    except Exception as fault:
        return fault.response["Error"]["Code"]


with concurrent.futures.ThreadPoolExecutor(5) as pool:
    seen = sorted(map(str, pool.map(one, range(5))))
same(seen, ["1", "1"] + ["TooManyRequestsException"] * 3, "five calls at once with room for two")
with error("InvalidParameterValueException", 400, r"Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of \[100\]\."):
    lam.put_function_concurrency(FunctionName="bounded", ReservedConcurrentExecutions=901)
status(lam.delete_function_concurrency(FunctionName="bounded"), 204)
same("ReservedConcurrentExecutions" in lam.get_function_concurrency(FunctionName="bounded"), False)
same(run(lam, "bounded"), 1)
with error("ResourceNotFoundException", 404):
    lam.put_function_concurrency(FunctionName="none", ReservedConcurrentExecutions=1)
