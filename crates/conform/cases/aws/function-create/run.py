import base64, hashlib
from conform import *

lam = client("lambda")
package = python()
made = status(create(lam, "whole", package, wait=False, Description="d", Environment={"Variables": {"AA": "1"}},
                     MemorySize=256, Timeout=7, Tags={"team": "x"}), 201)
arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:whole"
has(made, FunctionName="whole", FunctionArn=arn, Runtime="python3.12", Role=ROLE, Handler="app.handler",
    CodeSize=len(package), Description="d", Timeout=7, MemorySize=256, Version="$LATEST", PackageType="Zip",
    CodeSha256=base64.b64encode(hashlib.sha256(package).digest()).decode(), Environment={"Variables": {"AA": "1"}},
    TracingConfig={"Mode": "PassThrough"}, Architectures=..., EphemeralStorage={"Size": 512}, State="Pending",
    StateReasonCode="Creating", StateReason="The function is being created.",
    SnapStart={"ApplyOn": "None", "OptimizationStatus": "Off"}, RuntimeVersionConfig=...,
    LoggingConfig={"LogFormat": "Text", "LogGroup": "/aws/lambda/whole"})
match(made["LastModified"], LAMBDA_TIME, "LastModified")
match(made["RevisionId"], UUID, "RevisionId")
active(lam, "whole")

read = status(lam.get_function(FunctionName="whole"), 200)
has(read, Tags={"team": "x"}, Concurrency=None)
has(read["Configuration"], State="Active", LastUpdateStatus="Successful", StateReason=None, StateReasonCode=None,
    FunctionArn=arn, CodeSha256=made["CodeSha256"])
has(read["Code"], RepositoryType="S3", Location=...)
fetched = http_call("GET", read["Code"]["Location"])
same(fetched.status, 200, "status of the package's address")
same(fetched.body == package, True, "the package comes back to the byte")
same(http_call("GET", read["Code"]["Location"][:-3] + "zzz").status in (403, 404), True, "a forged address")

config = status(lam.get_function_configuration(FunctionName="whole"), 200)
config.pop("ResponseMetadata")
same(config, read["Configuration"], "GetFunctionConfiguration")

gone = lam.delete_function(FunctionName="whole")
same(gone["ResponseMetadata"]["HTTPStatusCode"], 204, "DeleteFunction")
for call in (lam.get_function, lam.get_function_configuration, lam.delete_function, lam.invoke):
    with error("ResourceNotFoundException", 404, f"Function not found: {arn}", Type="User"):
        call(FunctionName="whole")
