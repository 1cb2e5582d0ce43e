from conform import *

EX = f"{ROOT}/examples"
left = set(os.listdir(EX)) - {"README.md"}


def deploy(name, *more):
    left.discard(name)
    out = cli("--json", "deploy", f"{EX}/{name}", *more).stdout
    made = json.loads(out)
    same(made["state"], "active", name)
    return made


def call(name, event):
    return json.loads(cli("invoke", name, "-d", json.dumps(event)).stdout)


deploy("hello-wasm")
same(call("hello-wasm", {"name": "Ada"}), {"message": "Hello from WebAssembly", "event": {"name": "Ada"}})

for name in ("hello-python", "hello-node"):
    deploy(name)
    same(call(name, {"name": "Ada"}), {"message": "Hello, Ada!", "function": name})

url = deploy("url-webapp")["url"]
home = http_call("GET", url)
same((home.status, home.headers["content-type"]), (200, "text/html; charset=utf-8"))
same(b"Guest book" in home.body, True)
same("Ada" in http_call("GET", url + "api/hello?name=Ada").body.decode(), True)
signed = http_call("POST", url + "sign", "name=%3Cscript%3E", {"Content-Type": "application/x-www-form-urlencoded"})
same(b"<script>" in signed.body, False, "names are escaped")

for name in sorted(left):
    if name == "thumbnail":
        deploy(name, "--memory", "512", "--timeout", "20")
        made = call(name, {"size": 64})
        same((made["width"], made["height"]), (64, 48))
        same(base64.b64decode(made["image"])[:8], b"\x89PNG\r\n\x1a\n")
    elif name == "native-rust":
        continue  # `native/example-rust`: it compiles.
    else:
        raise AssertionError(f"examples/{name} has no case")
