from conform import *

lam = client("lambda")
free = client("lambda", config={"parameter_validation": False})
create(lam, "taken")
with error("ResourceConflictException", 409, "Function already exist: taken", Type="User"):
    create(lam, "taken", wait=False)
with error("InvalidParameterValueException", 400, r"Could not unzip uploaded file\. Please check your file, then try to upload again\."):
    create(lam, "bad", b"this is no zip", wait=False)
for name in ("../../x", "/x", "a\\b"):
    with error("InvalidParameterValueException", 400):
        create(lam, "bad", zipped({"app.py": ECHO, name: "x"}), wait=False)
with error("ValidationException", 400, r"1 validation error detected: Value '127' at 'memorySize' failed to satisfy constraint: Member must have value greater than or equal to 128"):
    create(free, "bad", wait=False, MemorySize=127)
with error("ValidationException", 400, r"1 validation error detected: Value '901' at 'timeout' failed to satisfy constraint: Member must have value less than or equal to 900"):
    create(free, "bad", wait=False, Timeout=901)
with error("InvalidParameterValueException", 400, r"Value python2\.2 at 'runtime' failed to satisfy constraint: .*|.*python2\.2.*"):
    create(free, "bad", wait=False, Runtime="python2.2")
with error("InvalidParameterValueException", 400, r".*reserved keys that are currently not supported for modification\. Reserved keys used in this request: AWS_REGION"):
    create(lam, "bad", wait=False, Environment={"Variables": {"AWS_REGION": "x"}})
with error("InvalidParameterValueException", 400, r".*exceeded the 4KB limit.*"):
    create(lam, "bad", wait=False, Environment={"Variables": {"AA": "x" * 4100}})
with error("ValidationException", 400, r"1 validation error detected: Value 'nobody' at 'role' failed to satisfy constraint: .*"):
    create(free, "bad", wait=False, Role="nobody")
with error("ValidationException", 400, r"1 validation error detected: Value 'a b' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern: .*"):
    create(free, "a b", wait=False)
with error("ValidationException", 400, r"1 validation error detected: Value 'x{65}' at 'functionName' failed to satisfy constraint: Member must have length less than or equal to 64"):
    create(lam, "x" * 65, wait=False)
with error("ResourceNotFoundException", 404):
    lam.get_function(FunctionName="bad")
answer = signed_call("POST", "/2015-03-31/functions", b"{not json", {"Content-Type": "application/json"})
same(answer.status, 400, "malformed JSON")
same(answer.headers["x-amzn-errortype"].split(":")[0], "SerializationException", "malformed JSON")
match(answer.headers["x-amzn-requestid"], UUID, "x-amzn-RequestId")
