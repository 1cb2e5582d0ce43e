from conform import *

lam = client("lambda")
arn = create(lam, "settings")["FunctionArn"]
read = status(lam.get_runtime_management_config(FunctionName="settings"), 200)
has(read, UpdateRuntimeOn="Auto", FunctionArn=...)
match(read["FunctionArn"], re.escape(arn) + r"(:\$LATEST)?")
put = status(lam.put_runtime_management_config(FunctionName="settings", UpdateRuntimeOn="FunctionUpdate"), 200)
has(put, UpdateRuntimeOn="FunctionUpdate")
has(lam.get_runtime_management_config(FunctionName="settings"), UpdateRuntimeOn="FunctionUpdate")
with error("InvalidParameterValueException", 400):
    lam.put_runtime_management_config(FunctionName="settings", UpdateRuntimeOn="Manual")
same(status(lam.get_function_recursion_config(FunctionName="settings"), 200)["RecursiveLoop"], "Terminate")
same(status(lam.put_function_recursion_config(FunctionName="settings", RecursiveLoop="Allow"), 200)["RecursiveLoop"], "Allow")
same(lam.get_function_recursion_config(FunctionName="settings")["RecursiveLoop"], "Allow")
signing = status(lam.get_function_code_signing_config(FunctionName="settings"), 200)
has(signing, FunctionName="settings", CodeSigningConfigArn="")
same(status(lam.list_event_source_mappings(), 200)["EventSourceMappings"], [])
same(lam.list_event_source_mappings(FunctionName="settings")["EventSourceMappings"], [])
for call in (lam.get_runtime_management_config, lam.get_function_recursion_config, lam.get_function_code_signing_config):
    with error("ResourceNotFoundException", 404):
        call(FunctionName="none")
with error("UnknownOperationException", 404):
    lam.create_event_source_mapping(FunctionName="settings", EventSourceArn=f"arn:aws:sqs:{REGION}:{ACCOUNT}:q")
