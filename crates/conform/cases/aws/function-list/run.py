from conform import *

lam = client("lambda")
same(lam.list_functions()["Functions"], [], "an account without functions")
names = [f"f{n}" for n in range(5)]
for name in names:
    create(lam, name, wait=False)
for name in names:
    active(lam, name)
lam.publish_version(FunctionName="f1")
page = status(lam.list_functions(MaxItems=2), 200)
same(len(page["Functions"]), 2, "MaxItems")
has(page, NextMarker=...)
found, counts = pages(lam.list_functions, "Functions", 2)
same(sorted(f["FunctionName"] for f in found), names)
same(counts, [2, 2, 1], "pages")
has(found[0], FunctionArn=..., RevisionId=..., Version="$LATEST", CodeSha256=..., State=None, StateReason=None)
every = [f for p in lam.get_paginator("list_functions").paginate(FunctionVersion="ALL", PaginationConfig={"PageSize": 3}) for f in p["Functions"]]
same(sorted((f["FunctionName"], f["Version"]) for f in every), sorted([(n, "$LATEST") for n in names] + [("f1", "1")]))
same([f["FunctionArn"].rsplit(":", 1)[1] for f in every if f["FunctionName"] == "f1"], ["$LATEST", "1"], "ARNs have their version")
with error("InvalidParameterValueException", 400):
    lam.list_functions(Marker="no marker of ours")
