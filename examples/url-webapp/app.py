"""A small web application behind a function URL (payload format 2.0): a page, a form, a JSON API."""

import base64
import html
import json
import os
import urllib.parse

TITLE = os.environ.get("TITLE", "Guest book")
BODY_MAX = 4096

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<h1>{title}</h1>
<form method="post" action="sign">
  <label>Your name <input name="name" required maxlength="80"></label>
  <button>Sign</button>
</form>
{note}
<p>As JSON: <a href="api/hello?name=Ada">api/hello?name=Ada</a></p>
</html>
"""


def reply(status, body, content_type, **headers):
    all_headers = {"content-type": content_type, "x-content-type-options": "nosniff", **headers}
    return {"statusCode": status, "headers": all_headers, "body": body}


def as_json(status, value, **headers):
    return reply(status, json.dumps(value), "application/json", **headers)


def page(status=200, note="", **headers):
    # Links are relative: the application may lie below a path such as /_url/<id>/.
    body = PAGE.format(title=html.escape(TITLE), note=note)
    return reply(status, body, "text/html; charset=utf-8", **headers)


def body_of(event):
    raw = event.get("body") or ""
    data = base64.b64decode(raw) if event.get("isBase64Encoded") else raw.encode()
    if len(data) > BODY_MAX:
        raise ValueError("body is too large")
    return data.decode()


def handler(event, context):
    method = event["requestContext"]["http"]["method"]
    path = event.get("rawPath", "/")
    query = event.get("queryStringParameters") or {}
    try:
        if path.endswith("/api/hello"):
            return api(method, event, query)
        if path.endswith("/sign"):
            return sign(method, event)
        if method in ("GET", "HEAD"):
            visits = visits_of(event) + 1
            note = f"<p>You were here {visits} time{'s' if visits > 1 else ''}.</p>"
            result = page(note=note)
            result["cookies"] = [f"visits={visits}; Path=/; HttpOnly; SameSite=Lax"]
            return result
        return as_json(405, {"error": "method not allowed"}, allow="GET, HEAD")
    except ValueError as error:
        return as_json(400, {"error": str(error)})


def api(method, event, query):
    if method == "GET":
        name = query.get("name", "world")
    elif method == "POST":
        value = json.loads(body_of(event))
        name = value.get("name", "world") if isinstance(value, dict) else "world"
    else:
        return as_json(405, {"error": "method not allowed"}, allow="GET, POST")
    return as_json(200, {"message": f"Hello, {name}!"})


def sign(method, event):
    if method != "POST":
        return as_json(405, {"error": "method not allowed"}, allow="POST")
    form = urllib.parse.parse_qs(body_of(event))
    name = form.get("name", [""])[0].strip()[:80]
    if not name:
        return page(400, "<p>A name, please.</p>")
    return page(note=f"<p>Thank you, {html.escape(name)}!</p>")


def visits_of(event):
    for cookie in event.get("cookies") or []:
        name, _, value = cookie.partition("=")
        if name == "visits" and value.isdigit():
            return min(int(value), 10**6)
    return 0
