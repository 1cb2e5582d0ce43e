from conform import *

for service, call in (("sqs", lambda c: c.list_queues()), ("dynamodb", lambda c: c.list_tables()), ("iam", lambda c: c.list_roles()),
                      ("s3", lambda c: c.list_buckets())):
    more = {"endpoint_url": ENDPOINT}
    try:
        call(client(service, **more))
        raise AssertionError(f"{service} answered")
    except Exception as fault:
        answer = getattr(fault, "response", None)
        same(answer is not None, True, f"{service}: {fault!r}")
        same((answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]), (501, "NotImplementedException"), service)
lam = client("lambda")
with error("UnknownOperationException", 404):
    lam.list_capacity_providers()
for method, path, want in (("GET", "/2015-03-31/nothing", 404), ("PATCH", "/2015-03-31/functions/x", (404, 405))):
    answer = signed_call(method, path)
    same(answer.status in (want if isinstance(want, tuple) else (want,)), True, f"{method} {path}: {answer.status} {answer.body}")
