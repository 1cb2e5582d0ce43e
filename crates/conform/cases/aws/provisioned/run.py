from conform import *

lam = client("lambda")
arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:ready"
create(lam, "ready", python("import os\ndef handler(e, c): return os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']"), Publish=True)
lam.create_alias(FunctionName="ready", Name="prod", FunctionVersion="1")
with error("ProvisionedConcurrencyConfigNotFoundException", 404, r"No Provisioned Concurrency Config found for this function"):
    lam.get_provisioned_concurrency_config(FunctionName="ready", Qualifier="prod")
with error("InvalidParameterValueException", 400, r"Provisioned Concurrency Configs cannot be applied to unpublished function versions\."):
    lam.put_provisioned_concurrency_config(FunctionName="ready", Qualifier="$LATEST", ProvisionedConcurrentExecutions=1)
put = status(lam.put_provisioned_concurrency_config(FunctionName="ready", Qualifier="prod", ProvisionedConcurrentExecutions=1), 202)
has(put, RequestedProvisionedConcurrentExecutions=1, Status="IN_PROGRESS", LastModified=...)
match(put["LastModified"], LAMBDA_TIME, "LastModified")
done = until(lambda: (lambda r: r if r["Status"] == "READY" else None)(
    lam.get_provisioned_concurrency_config(FunctionName="ready", Qualifier="prod")), "READY")
has(done, RequestedProvisionedConcurrentExecutions=1, AvailableProvisionedConcurrentExecutions=1, AllocatedProvisionedConcurrentExecutions=1)
same(run(lam, "ready", Qualifier="prod"), "provisioned-concurrency")
same(run(lam, "ready"), "on-demand")
listed = status(lam.list_provisioned_concurrency_configs(FunctionName="ready"), 200)["ProvisionedConcurrencyConfigs"]
same([(c["FunctionArn"], c["Status"]) for c in listed], [(f"{arn}:prod", "READY")])
status(lam.delete_provisioned_concurrency_config(FunctionName="ready", Qualifier="prod"), 204)
same(lam.list_provisioned_concurrency_configs(FunctionName="ready")["ProvisionedConcurrencyConfigs"], [])
with error("ResourceNotFoundException", 404):
    lam.put_provisioned_concurrency_config(FunctionName="ready", Qualifier="9", ProvisionedConcurrentExecutions=1)
