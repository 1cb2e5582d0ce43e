from conform import *

lam = client("lambda")
arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:shared"
create(lam, "shared", Publish=True)
lam.create_alias(FunctionName="shared", Name="prod", FunctionVersion="1")
with error("ResourceNotFoundException", 404, r"The resource you requested does not exist\."):
    lam.get_policy(FunctionName="shared")
given = status(lam.add_permission(FunctionName="shared", StatementId="s3", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com",
                                  SourceArn="arn:aws:s3:::bucket", SourceAccount="123456789012"), 201)
first = json.loads(given["Statement"])
same(first, {"Sid": "s3", "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "lambda:InvokeFunction", "Resource": arn,
             "Condition": {"StringEquals": {"AWS:SourceAccount": "123456789012"}, "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::bucket"}}})
with error("ResourceConflictException", 409, r"The statement id \(s3\) provided already exists\. Please provide a new statement id, or remove the existing statement\."):
    lam.add_permission(FunctionName="shared", StatementId="s3", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com")
second = json.loads(lam.add_permission(FunctionName="shared", StatementId="acct", Action="lambda:*", Principal="123456789012")["Statement"])
same(second["Principal"], {"AWS": "arn:aws:iam::123456789012:root"})
url = json.loads(lam.add_permission(FunctionName="shared", StatementId="url", Action="lambda:InvokeFunctionUrl", Principal="*",
                                    FunctionUrlAuthType="NONE")["Statement"])
same((url["Principal"], url["Condition"]), ("*", {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}}))
policy = status(lam.get_policy(FunctionName="shared"), 200)
document = json.loads(policy["Policy"])
has(document, Version="2012-10-17", Id="default", Statement=[first, second, url])
with error("InvalidParameterValueException", 400, r"The provided principal was invalid\. Please check the principal and try again\."):
    lam.add_permission(FunctionName="shared", StatementId="x", Action="lambda:InvokeFunction", Principal="who?")
with error("PreconditionFailedException", 412):
    lam.add_permission(FunctionName="shared", StatementId="x", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com",
                       RevisionId="00000000-0000-0000-0000-000000000000")
at_alias = json.loads(lam.add_permission(FunctionName="shared", Qualifier="prod", StatementId="s3", Action="lambda:InvokeFunction",
                                         Principal="events.amazonaws.com")["Statement"])
same(at_alias["Resource"], f"{arn}:prod")
same(json.loads(lam.get_policy(FunctionName="shared", Qualifier="prod")["Policy"])["Statement"], [at_alias])
status(lam.remove_permission(FunctionName="shared", StatementId="s3"), 204)
same([s["Sid"] for s in json.loads(lam.get_policy(FunctionName="shared")["Policy"])["Statement"]], ["acct", "url"])
with error("ResourceNotFoundException", 404, r"Statement s3 is not found in resource policy\."):
    lam.remove_permission(FunctionName="shared", StatementId="s3")
status(lam.remove_permission(FunctionName="shared", StatementId="s3", Qualifier="prod"), 204)
with error("ResourceNotFoundException", 404):
    lam.get_policy(FunctionName="shared", Qualifier="prod")
for name in ("none",):
    with error("ResourceNotFoundException", 404, f"Function not found: .*function:none"):
        lam.add_permission(FunctionName=name, StatementId="s", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com")
