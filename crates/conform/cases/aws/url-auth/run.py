from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from conform import *

lam = client("lambda")
create(lam, "secret", python("def handler(e, c): return e['requestContext']"))
url = lam.create_function_url_config(FunctionName="secret", AuthType="AWS_IAM")["FunctionUrl"]


def signed(account):
    request = AWSRequest("GET", url)
    SigV4Auth(Credentials(account, "secret"), "lambda", REGION).add_auth(request)
    return url_call(url, headers=dict(request.headers.items()))


refused = url_call(url)
same((refused.status, refused.headers["x-amzn-errortype"], refused.body), (403, "AccessDeniedException", b'{"Message":"Forbidden"}'))
good = signed(ACCOUNT)
same(good.status, 200)
context = good.json()
has(context, accountId=ACCOUNT)
has(context["authorizer"]["iam"], accessKey=ACCOUNT, accountId=ACCOUNT)
other = signed("999999999999")
same((other.status, other.body), (403, refused.body), "another account")
unknown = url_call(ENDPOINT + "/_url/" + "a" * 32 + "/")
same((unknown.status, unknown.body), (403, refused.body), "a URL that is not there")
lam.update_function_url_config(FunctionName="secret", AuthType="NONE")
same(url_call(url).status, 200, "opened")
