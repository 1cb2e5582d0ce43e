import base64, json
def handler(event, context):
    path = event["rawPath"]
    if path == "/echo":
        return event
    if path == "/full":
        return {"statusCode": 201, "headers": {"X-One": "1", "Content-Type": "text/plain"}, "cookies": ["a=1; Path=/", "b=2"], "body": "made"}
    if path == "/bytes":
        return {"statusCode": 200, "headers": {"Content-Type": "image/png"}, "isBase64Encoded": True, "body": base64.b64encode(bytes(range(256))).decode()}
    if path == "/text":
        return "plain"
    if path == "/fail":
        raise ValueError("boom")
    if path == "/teapot":
        return {"statusCode": 418}
    if path == "/crlf":
        return {"statusCode": 200, "headers": {"x": "a\r\nSet-Cookie: evil=1"}, "body": "x"}
    if path == "/te":
        return {"statusCode": 200, "headers": {"Transfer-Encoding": "chunked"}, "body": "x"}
    if path == "/999":
        return {"statusCode": 999, "body": "x"}
    return {"statusCode": 404, "body": "nothing here"}
