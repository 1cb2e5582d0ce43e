from conform import *

sts = client("sts")
me = status(sts.get_caller_identity(), 200)
has(me, Account=ACCOUNT, UserId=..., Arn=...)
match(me["Arn"], rf"arn:aws:(iam|sts)::{ACCOUNT}:.+", "Arn")
same(me["ResponseMetadata"]["HTTPHeaders"]["content-type"], "text/xml")
match(me["ResponseMetadata"]["RequestId"], UUID)
same(client("sts", aws_access_key_id="210987654321", aws_secret_access_key="x").get_caller_identity()["Account"], "210987654321")
same(client("sts", aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="x").get_caller_identity()["Account"], "000000000000")
answer = signed_call("POST", "/", "Action=AssumeEverything&Version=2011-06-15", {"Content-Type": "application/x-www-form-urlencoded"}, service="sts")
same(answer.status in (400, 501), True, f"an unknown action: {answer.status} {answer.body}")
same(b"<Code>" in answer.body, True, "the error is XML")
