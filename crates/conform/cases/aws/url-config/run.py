from conform import *

lam = client("lambda")
arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:web"
create(lam, "web", Publish=True)
lam.create_alias(FunctionName="web", Name="prod", FunctionVersion="1")
with error("ResourceNotFoundException", 404, r"The resource you requested does not exist\."):
    lam.get_function_url_config(FunctionName="web")
made = status(lam.create_function_url_config(FunctionName="web", AuthType="NONE"), 201)
has(made, FunctionArn=arn, AuthType="NONE", InvokeMode="BUFFERED", Cors=None)
match(made["FunctionUrl"], r"https?://.*/", "FunctionUrl")
match(made["CreationTime"], r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\..*", "CreationTime")
with error("ResourceConflictException", 409, r".*FunctionUrlConfig exists for this Lambda function.*"):
    lam.create_function_url_config(FunctionName="web", AuthType="NONE")
cors = {"AllowOrigins": ["https://a.example"], "AllowMethods": ["GET", "POST"], "AllowHeaders": ["x-a"], "ExposeHeaders": ["x-b"],
        "MaxAge": 60, "AllowCredentials": True}
other = lam.create_function_url_config(FunctionName="web", Qualifier="prod", AuthType="AWS_IAM", Cors=cors, InvokeMode="RESPONSE_STREAM")
has(other, FunctionArn=f"{arn}:prod", AuthType="AWS_IAM", Cors=cors, InvokeMode="RESPONSE_STREAM")
same(other["FunctionUrl"] != made["FunctionUrl"], True, "an alias has its own URL")
read = status(lam.get_function_url_config(FunctionName="web", Qualifier="prod"), 200)
has(read, FunctionUrl=other["FunctionUrl"], Cors=cors, CreationTime=other["CreationTime"], LastModifiedTime=...)
changed = status(lam.update_function_url_config(FunctionName="web", AuthType="AWS_IAM", Cors={"AllowOrigins": ["*"]}), 200)
has(changed, FunctionUrl=made["FunctionUrl"], AuthType="AWS_IAM", Cors={"AllowOrigins": ["*"]}, InvokeMode="BUFFERED", LastModifiedTime=...)
found, counts = pages(lambda **m: lam.list_function_url_configs(FunctionName="web", **m), "FunctionUrlConfigs", 1)
same(sorted(u["FunctionArn"] for u in found), [arn, f"{arn}:prod"])
same(counts, [1, 1])
status(lam.delete_function_url_config(FunctionName="web", Qualifier="prod"), 204)
with error("ResourceNotFoundException", 404):
    lam.delete_function_url_config(FunctionName="web", Qualifier="prod")
same(len(lam.list_function_url_configs(FunctionName="web")["FunctionUrlConfigs"]), 1)
with error("ResourceNotFoundException", 404, r"Function does not exist"):
    lam.create_function_url_config(FunctionName="none", AuthType="NONE")
with error("ResourceNotFoundException", 404):
    lam.create_function_url_config(FunctionName="web", Qualifier="nobody", AuthType="NONE")
