"""What the Python cases share: clients, packages, waiting, and assertions that say what they saw."""

import base64
import contextlib
import http.client
import io
import json
import os
import re
import subprocess
import sys
import time
import urllib.parse
import zipfile

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
ACCOUNT = os.environ["AWS_ACCESS_KEY_ID"]
REGION = os.environ["AWS_REGION"]
ROLE = f"arn:aws:iam::{ACCOUNT}:role/lambda-role"
HERE = os.getcwd()
TMP = os.environ["CASE_TMP"]
ANYFN = os.environ["ANYFN"]
PARTS = os.environ["ANYFN_PARTS"]
ROOT = os.environ["ANYFN_ROOT"]

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
LAMBDA_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000"


def client(service, **config):
    import boto3
    from botocore.config import Config

    settings = dict(retries={"total_max_attempts": 1}, read_timeout=55, connect_timeout=5)
    settings.update(config.pop("config", {}))
    return boto3.client(service, config=Config(**settings), **config)


def skip(why):
    print(why)
    sys.exit(77)


# --- packages


def zipped(files):
    """A package from `{name: text or bytes or (text, mode)}`."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            content, mode = content if isinstance(content, tuple) else (content, 0o644)
            info = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
            info.external_attr = (0o100000 | mode) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return out.getvalue()


def folder(path):
    """A package from a folder beside the case."""
    files = {}
    for base, _, names in os.walk(path):
        for name in sorted(names):
            whole = os.path.join(base, name)
            with open(whole, "rb") as file:
                mode = 0o755 if os.access(whole, os.X_OK) else 0o644
                files[os.path.relpath(whole, path)] = (file.read(), mode)
    return zipped(files)


ECHO = "def handler(event, context):\n    return event\n"


def python(source=ECHO, **more):
    return zipped({"app.py": source, **more})


def node(source, **more):
    return zipped({"index.mjs": source, **more})


# --- functions


def settings(runtime):
    if runtime.startswith("python"):
        return "app.handler"
    return "index.handler" if runtime.startswith("node") else "bootstrap"


def create(lam, name, package=None, runtime="python3.12", wait=True, **more):
    """Creates a function and waits until it is active."""
    request = dict(FunctionName=name, Runtime=runtime, Role=ROLE, Handler=settings(runtime), Timeout=10)
    request["Code"] = {"ZipFile": package if package is not None else python()}
    request.update(more)
    made = lam.create_function(**{k: v for k, v in request.items() if v is not None})
    if wait:
        active(lam, name)
    return made


def active(lam, name, **more):
    lam.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 40}, **more)


def updated(lam, name, **more):
    lam.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 40}, **more)


def invoke(lam, name, event=None, **more):
    """Calls it; gives the answer and its payload, parsed where it is JSON."""
    payload = event if isinstance(event, (bytes, str)) else json.dumps({} if event is None else event)
    answer = lam.invoke(FunctionName=name, Payload=payload, **more)
    body = answer["Payload"].read()
    try:
        return answer, json.loads(body)
    except ValueError:
        return answer, body


def run(lam, name, event=None, **more):
    """Calls it, demands success, gives the payload."""
    answer, payload = invoke(lam, name, event, **more)
    if "FunctionError" in answer:
        raise AssertionError(f"{name} failed: {payload}")
    same(answer["StatusCode"], 200, "StatusCode")
    return payload


def tail(answer):
    return base64.b64decode(answer["LogResult"]).decode()


# --- assertions


def same(got, want, what="value"):
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, want {want!r}")


def match(got, pattern, what="text"):
    if not isinstance(got, str) or not re.fullmatch(pattern, got, re.S):
        raise AssertionError(f"{what}: {got!r} does not match {pattern!r}")
    return got


def has(got, **want):
    """The members are there with these values; `...` stands for any, None for absent."""
    for key, value in want.items():
        if value is None:
            if key in got:
                raise AssertionError(f"{key}: got {got[key]!r}, want it absent")
        elif key not in got:
            raise AssertionError(f"{key} is absent in {sorted(got)}")
        elif value is not ...:
            same(got[key], value, key)
    return got


def status(answer, want):
    same(answer["ResponseMetadata"]["HTTPStatusCode"], want, "HTTP status")
    return answer


@contextlib.contextmanager
def error(code, http_status=None, message=None, **members):
    """The block must fail with this error of the service; `message` is a pattern of the whole text."""
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as fault:
        body = fault.response
        seen = f"{body['ResponseMetadata']['HTTPStatusCode']} {body['Error']}"
        same(body["Error"]["Code"], code, f"error code ({seen})")
        if http_status is not None:
            same(body["ResponseMetadata"]["HTTPStatusCode"], http_status, f"HTTP status ({seen})")
        if message is not None:
            match(body["Error"]["Message"], message, "error message")
        has(body, **members)
    else:
        raise AssertionError(f"it went through; it should have been {code}")


def until(probe, what, tries=100):
    """Asks again, with a pause, until the probe gives something; the case's own time bounds it."""
    last = None
    for _ in range(tries):
        last = probe()
        if last:
            return last
        time.sleep(0.1)
    raise AssertionError(f"never happened: {what} (last seen: {last!r})")


def pages(call, member, size, **more):
    """All items by the operation's own pages of `size`; each page but the last must be full."""
    items, marker, counts = [], None, []
    while True:
        page = call(MaxItems=size, **more, **({"Marker": marker} if marker else {}))
        items += page[member]
        counts.append(len(page[member]))
        marker = page.get("NextMarker")
        if not marker:
            break
        same(counts[-1], size, "items on a page")
    return items, counts


# --- plain HTTP


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    def json(self):
        return json.loads(self.body)


def http_call(method, url, body=None, headers=None, timeout=30):
    """One request on a connection of its own, with no header added but Host and Content-Length."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    path = parts.path or "/"
    connection.putrequest(method, path + (f"?{parts.query}" if parts.query else ""), skip_accept_encoding=True)
    headers = dict(headers or {})
    body = body.encode() if isinstance(body, str) else body
    if body is not None and "Content-Length" not in headers:
        headers["Content-Length"] = str(len(body))
    for name, value in headers.items():
        for one in value if isinstance(value, list) else [value]:
            connection.putheader(name, one)
    connection.endheaders(body)
    answer = Answer(connection.getresponse())
    connection.close()
    return answer


def signed_call(method, path, body=b"", headers=None, service="lambda"):
    """One request to an API as an SDK signs it, its headers and body of our choice."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    body = body.encode() if isinstance(body, str) else body
    request = AWSRequest(method, ENDPOINT + path, data=body, headers=headers or {})
    SigV4Auth(Credentials(ACCOUNT, os.environ["AWS_SECRET_ACCESS_KEY"]), service, REGION).add_auth(request)
    return http_call(method, ENDPOINT + path, body, dict(request.headers.items()))


def url_call(url, method="GET", path="", body=None, headers=None, **more):
    """A request to a function's own URL, whatever name its host has."""
    parts = urllib.parse.urlsplit(url)
    base = parts.path.rstrip("/")
    given = {name.lower() for name in headers or {}}
    own = {} if "host" in given else {"Host": parts.netloc}
    server = urllib.parse.urlsplit(ENDPOINT)
    connection = http.client.HTTPConnection(server.hostname, server.port, timeout=more.get("timeout", 30))
    connection.putrequest(method, base + (path or "/"), skip_host=True, skip_accept_encoding=True)
    all_headers = {**own, **(headers or {})}
    body = body.encode() if isinstance(body, str) else body
    if body is not None:
        all_headers["Content-Length"] = str(len(body))
    for name, value in all_headers.items():
        connection.putheader(name, value)
    connection.endheaders(body)
    response = connection.getresponse()
    if more.get("raw"):
        return response
    answer = Answer(response)
    connection.close()
    return answer


# --- the command line


def cli(*args, code=0, data=None, env=None, cwd=None):
    """Runs `anyfn …`, demands its exit code, gives what it printed."""
    merged = {**os.environ, **(env or {})}
    done = subprocess.run([ANYFN, *args], capture_output=True, text=True, input=data, env=merged, cwd=cwd)
    if code is not None and done.returncode != code:
        raise AssertionError(f"anyfn {' '.join(args)}: exit {done.returncode}, want {code}\n{done.stdout}\n{done.stderr}")
    return done
