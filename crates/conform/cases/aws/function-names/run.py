from conform import *

lam = client("lambda")
create(lam, "named", Publish=True)
arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:named"
for form in ("named", f"{ACCOUNT}:function:named", f"function:named", arn):
    same(lam.get_function(FunctionName=form)["Configuration"]["FunctionArn"], arn, form)
    same(run(lam, form, {"a": 1}), {"a": 1}, form)
for form in ("named:1", f"{ACCOUNT}:function:named:1", f"{arn}:1"):
    same(lam.get_function(FunctionName=form)["Configuration"]["FunctionArn"], f"{arn}:1", form)
    same(invoke(lam, form)[0]["ExecutedVersion"], "1", form)
same(lam.get_function(FunctionName="named", Qualifier="$LATEST")["Configuration"]["FunctionArn"], f"{arn}:$LATEST", "$LATEST")
with error("InvalidParameterValueException", 400, r"The derived qualifier from the function name does not match the specified qualifier\."):
    lam.get_function(FunctionName="named:1", Qualifier="$LATEST")
with error("ResourceNotFoundException", 404, f"Function not found: {arn}:7"):
    lam.get_function(FunctionName="named", Qualifier="7")
# Another account's and another region's functions are not here.
with error("ResourceNotFoundException", 404):
    lam.get_function(FunctionName=arn.replace(REGION, "eu-west-1"))
