import datetime
from conform import *

lam = client("lambda")
free = client("lambda", config={"parameter_validation": False})
arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:later"
target = create(lam, "target")["FunctionArn"]
create(lam, "later", Publish=True)
lam.create_alias(FunctionName="later", Name="prod", FunctionVersion="1")
with error("ResourceNotFoundException", 404, f"The function {arn}:\\$LATEST doesn't have an EventInvokeConfig"):
    lam.get_function_event_invoke_config(FunctionName="later")
put = status(lam.put_function_event_invoke_config(FunctionName="later", MaximumRetryAttempts=1, MaximumEventAgeInSeconds=60,
             DestinationConfig={"OnFailure": {"Destination": target}}), 200)
has(put, FunctionArn=f"{arn}:$LATEST", MaximumRetryAttempts=1, MaximumEventAgeInSeconds=60)
same(put["DestinationConfig"]["OnFailure"], {"Destination": target})
same(isinstance(put["LastModified"], datetime.datetime), True, "LastModified is a number on the wire")
changed = status(lam.update_function_event_invoke_config(FunctionName="later", MaximumRetryAttempts=0), 200)
has(changed, MaximumRetryAttempts=0, MaximumEventAgeInSeconds=60)
replaced = lam.put_function_event_invoke_config(FunctionName="later", MaximumRetryAttempts=2)
has(replaced, MaximumRetryAttempts=2, MaximumEventAgeInSeconds=None)
lam.put_function_event_invoke_config(FunctionName="later", Qualifier="prod", MaximumEventAgeInSeconds=100)
has(lam.get_function_event_invoke_config(FunctionName="later", Qualifier="prod"), FunctionArn=f"{arn}:prod", MaximumEventAgeInSeconds=100)
listed = lam.list_function_event_invoke_configs(FunctionName="later")["FunctionEventInvokeConfigs"]
same(sorted(c["FunctionArn"] for c in listed), [f"{arn}:$LATEST", f"{arn}:prod"])
with error("ValidationException", 400):
    free.put_function_event_invoke_config(FunctionName="later", MaximumRetryAttempts=3)
with error("ValidationException", 400):
    free.put_function_event_invoke_config(FunctionName="later", MaximumEventAgeInSeconds=59)
status(lam.delete_function_event_invoke_config(FunctionName="later"), 204)
with error("ResourceNotFoundException", 404):
    lam.delete_function_event_invoke_config(FunctionName="later")
with error("ResourceNotFoundException", 404):
    lam.update_function_event_invoke_config(FunctionName="later", MaximumRetryAttempts=1)
with error("ResourceNotFoundException", 404):
    lam.put_function_event_invoke_config(FunctionName="none", MaximumRetryAttempts=1)
