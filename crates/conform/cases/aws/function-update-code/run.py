import base64, hashlib
from conform import *

lam = client("lambda")
create(lam, "code", python("def handler(e, c): return 1"))
same(run(lam, "code"), 1)
before = lam.get_function_configuration(FunctionName="code")
second = python("def handler(e, c): return 2")
sha = base64.b64encode(hashlib.sha256(second).digest()).decode()
dry = status(lam.update_function_code(FunctionName="code", ZipFile=second, DryRun=True), 200)
same(dry["CodeSha256"], sha, "DryRun tells the hash")
same(lam.get_function_configuration(FunctionName="code")["CodeSha256"], before["CodeSha256"], "DryRun changes nothing")
with error("PreconditionFailedException", 412, r"The Revision Id provided does not match the latest Revision Id\. Call the GetFunction(Configuration)?/GetAlias API to retrieve the latest Revision Id|.*Revision Id.*", Type="User"):
    lam.update_function_code(FunctionName="code", ZipFile=second, RevisionId="00000000-0000-0000-0000-000000000000")
done = status(lam.update_function_code(FunctionName="code", ZipFile=second, RevisionId=before["RevisionId"]), 200)
has(done, CodeSha256=sha, Version="$LATEST", LastUpdateStatus=...)
same(done["RevisionId"] != before["RevisionId"], True, "a new RevisionId")
updated(lam, "code")
same(run(lam, "code"), 2)
published = lam.update_function_code(FunctionName="code", ZipFile=python("def handler(e, c): return 3"), Publish=True)
same(published["Version"], "1", "Publish")
updated(lam, "code")
same(run(lam, "code", Qualifier="1"), 3)
with error("InvalidParameterValueException", 400, r"Could not unzip uploaded file\. .*"):
    lam.update_function_code(FunctionName="code", ZipFile=b"nothing")
same(run(lam, "code"), 3, "a refused update leaves the code")
with error("ResourceNotFoundException", 404, f"Function not found: arn:aws:lambda:{REGION}:{ACCOUNT}:function:none"):
    lam.update_function_code(FunctionName="none", ZipFile=second)
