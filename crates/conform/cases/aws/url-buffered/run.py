from conform import *

lam = client("lambda")
create(lam, "web", python(open("app.py").read()))
url = lam.create_function_url_config(FunctionName="web", AuthType="NONE")["FunctionUrl"]

got = url_call(url, "POST", "/echo?a=1&b=%20x&a=2", '{"x": 1}', {"Content-Type": "application/json", "X-Mine": "Yes",
               "Cookie": "k=v; n=w", "User-Agent": "agent/1", "X-Forwarded-For": "1.2.3.4", "X-Amzn-Trace-Id": "Root=evil"})
same(got.status, 200)
same(got.headers["content-type"], "application/json")
match(got.headers["x-amzn-requestid"], UUID, "x-amzn-RequestId")
match(got.headers["x-amzn-trace-id"], r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};.*", "X-Amzn-Trace-Id")
event = got.json()
has(event, version="2.0", routeKey="$default", rawPath="/echo", rawQueryString="a=1&b=%20x&a=2", cookies=["k=v", "n=w"],
    queryStringParameters={"a": "1,2", "b": " x"}, body='{"x": 1}', isBase64Encoded=False, pathParameters=None, stageVariables=None)
has(event["headers"], **{"content-type": "application/json", "x-mine": "Yes", "user-agent": "agent/1", "cookie": None, "host": ...,
    "x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "http", "x-forwarded-port": os.environ["ANYFN_PORT"]})
match(event["headers"]["x-amzn-trace-id"], r"Root=1-.*")
context = event["requestContext"]
has(context, accountId="anonymous", stage="$default", routeKey="$default", authorizer=None, apiId=..., domainName=..., domainPrefix=...)
same(context["http"], {"method": "POST", "path": "/echo", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "agent/1"})
match(context["requestId"], UUID, "requestId")
match(context["time"], r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000", "time")
same(isinstance(context["timeEpoch"], int), True, "timeEpoch")

empty = url_call(url, "GET", "/echo").json()
has(empty, body=None, cookies=None, queryStringParameters=None, rawQueryString="", isBase64Encoded=False)
binary = url_call(url, "PUT", "/echo", b"\x00\xff", {"Content-Type": "application/octet-stream"}).json()
has(binary, body="AP8=", isBase64Encoded=True)
for method in ("GET", "PUT", "PATCH", "DELETE"):
    same(url_call(url, method, "/echo").json()["requestContext"]["http"]["method"], method)
same(url_call(url, "HEAD", "/full").body, b"", "HEAD has no body")
same(url_call(url, "GET", "/a%20b/%C3%BC").status, 404)

full = url_call(url, "GET", "/full")
same((full.status, full.headers["x-one"], full.headers["content-type"], full.body), (201, "1", "text/plain", b"made"))
same(full.headers.get_all("set-cookie"), ["a=1; Path=/", "b=2"], "cookies")
bytes_ = url_call(url, "GET", "/bytes")
same((bytes_.status, bytes_.headers["content-type"], bytes_.body), (200, "image/png", bytes(range(256))))
text = url_call(url, "GET", "/text")
same((text.status, text.headers["content-type"], text.body), (200, "application/json", b"plain"))
teapot = url_call(url, "GET", "/teapot")
same((teapot.status, teapot.body), (418, b""))
for path in ("/fail", "/crlf", "/te", "/999"):
    answer = url_call(url, "GET", path)
    same((answer.status, answer.headers["content-type"], answer.body), (502, "application/json", b'{"message":"Internal Server Error"}'), path)
    same(answer.headers["set-cookie"], None, path)
    same(b"boom" in answer.body, False, path)
lam.delete_function_url_config(FunctionName="web")
same(url_call(url, "GET", "/text").status, 403, "a deleted URL")
