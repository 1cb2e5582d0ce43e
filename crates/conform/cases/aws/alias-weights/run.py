from collections import Counter
from conform import *

lam = client("lambda")
create(lam, "split", python("def handler(e, c): return 1"), Publish=True)
lam.update_function_code(FunctionName="split", ZipFile=python("def handler(e, c): return 2"), Publish=True); updated(lam, "split")
made = lam.create_alias(FunctionName="split", Name="live", FunctionVersion="1", RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}})
has(made, RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}})
seen = Counter()
for _ in range(60):
    answer, payload = invoke(lam, "split", Qualifier="live")
    same(answer["ExecutedVersion"], str(payload), "the version that ran")
    seen[payload] += 1
# 60 fair tosses leave 8..52 with a chance below one in 10^9.
same(8 <= seen[2] <= 52, True, f"half of 60 calls: {dict(seen)}")
lam.update_alias(FunctionName="split", Name="live", RoutingConfig={"AdditionalVersionWeights": {"2": 1.0}})
same({run(lam, "split", Qualifier="live") for _ in range(10)}, {2}, "all of the weight")
cleared = lam.update_alias(FunctionName="split", Name="live", RoutingConfig={"AdditionalVersionWeights": {}})
has(cleared, RoutingConfig=None)
same({run(lam, "split", Qualifier="live") for _ in range(10)}, {1}, "no weight")
for wrong in ({"1": 0.5}, {"$LATEST": 0.5}):
    with error("InvalidParameterValueException", 400) if "1" in wrong else error("ValidationException", 400):
        lam.update_alias(FunctionName="split", Name="live", RoutingConfig={"AdditionalVersionWeights": wrong})
with error("InvalidParameterValueException", 400):
    lam.create_alias(FunctionName="split", Name="newest", FunctionVersion="$LATEST", RoutingConfig={"AdditionalVersionWeights": {"1": 0.5}})
