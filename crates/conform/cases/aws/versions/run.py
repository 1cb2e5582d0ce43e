from conform import *

lam = client("lambda")
arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:versioned"
body = lambda n: python(f"def handler(e, c): return [{n}, c.function_version, c.invoked_function_arn]")
create(lam, "versioned", body(1))
latest = lam.get_function_configuration(FunctionName="versioned")
with error("InvalidParameterValueException", 400, r"CodeSHA256 \(bm9wZQ==\) is different from current CodeSHA256 in \$LATEST \(.*\)\. Please try again with the CodeSHA256 in \$LATEST\."):
    lam.publish_version(FunctionName="versioned", CodeSha256="bm9wZQ==")
with error("PreconditionFailedException", 412):
    lam.publish_version(FunctionName="versioned", RevisionId="00000000-0000-0000-0000-000000000000")
one = status(lam.publish_version(FunctionName="versioned", CodeSha256=latest["CodeSha256"], RevisionId=latest["RevisionId"], Description="one"), 201)
has(one, Version="1", FunctionArn=f"{arn}:1", Description="one", CodeSha256=latest["CodeSha256"])
active(lam, "versioned", Qualifier="1")
same(lam.publish_version(FunctionName="versioned")["Version"], "1", "nothing has changed")
lam.update_function_code(FunctionName="versioned", ZipFile=body(2)); updated(lam, "versioned")
same(lam.publish_version(FunctionName="versioned")["Version"], "2")
lam.update_function_configuration(FunctionName="versioned", Timeout=9); updated(lam, "versioned")
same(lam.publish_version(FunctionName="versioned")["Version"], "3", "settings count as a change")
same(run(lam, "versioned", Qualifier="1"), [1, "1", f"{arn}:1"])
same(run(lam, "versioned", Qualifier="2"), [2, "2", f"{arn}:2"])
same(run(lam, "versioned"), [2, "$LATEST", arn])
found, counts = pages(lambda **m: lam.list_versions_by_function(FunctionName="versioned", **m), "Versions", 3)
same([v["Version"] for v in found], ["$LATEST", "1", "2", "3"])
same([v["FunctionArn"] for v in found], [f"{arn}:{v}" for v in ("$LATEST", "1", "2", "3")])
same([v["Timeout"] for v in found], [9, 10, 10, 9])
same(counts, [3, 1], "pages")
same(lam.delete_function(FunctionName="versioned", Qualifier="1")["ResponseMetadata"]["HTTPStatusCode"], 204)
with error("ResourceNotFoundException", 404, f"Function not found: {arn}:1"):
    lam.invoke(FunctionName="versioned", Qualifier="1")
with error("InvalidParameterValueException", 400, r"\$LATEST version cannot be deleted without deleting the function\."):
    lam.delete_function(FunctionName="versioned", Qualifier="$LATEST")
same([v["Version"] for v in lam.list_versions_by_function(FunctionName="versioned")["Versions"]], ["$LATEST", "2", "3"])
lam.update_function_code(FunctionName="versioned", ZipFile=body(4)); updated(lam, "versioned")
same(lam.publish_version(FunctionName="versioned")["Version"], "4", "a deleted number does not come back")
with error("ResourceNotFoundException", 404):
    lam.publish_version(FunctionName="none")
with error("ResourceNotFoundException", 404):
    lam.list_versions_by_function(FunctionName="none")
