import signal
from conform import *

os.chdir(TMP)
plain = {k: v for k, v in os.environ.items() if not k.startswith("ANYFN")}
UP = [ANYFN, "up", "--data", "data", "--listen", "198.51.100.1:8080"]
refused = subprocess.run(UP, capture_output=True, text=True, env=plain, timeout=30)
same(refused.returncode, 1, "without a key it does not start")
same("anyfn key create" in refused.stderr, True, refused.stderr)
key = lambda *more: json.loads(cli("--json", "key", "create", "--data", "data", *more).stdout)
admin, caller, other = key("--account", "111111111111"), key("--account", "111111111111", "--invoke-only"), key("--account", "222222222222")
told = cli("key", "create", "--account", "111111111111", "--data", "data").stdout
same({k["id"] for k in json.loads(cli("--json", "key", "ls", "--data", "data").stdout)}, {admin["id"], caller["id"], other["id"], told.split("AWS_ACCESS_KEY_ID=")[1].split()[0]})
server = subprocess.Popen(UP, stdout=subprocess.PIPE, stderr=open("err", "w"), text=True, env=plain)
try:
    url = server.stdout.readline().split()[2]
    as_ = lambda k, secret=None: client("lambda", endpoint_url=url, aws_access_key_id=k["id"], aws_secret_access_key=secret or k["secret"])
    lam = as_(admin)
    create(lam, "mine", python("def handler(e, c): return 'ran'"))
    same(run(as_(caller), "mine"), "ran", "an invoke-only key invokes")
    for call in (lambda c: c.delete_function(FunctionName="mine"), lambda c: create(c, "more", wait=False), lambda c: c.update_function_code(FunctionName="mine", ZipFile=python())):
        with error("AccessDeniedException", 403):
            call(as_(caller))
    with error("ResourceNotFoundException", 404):
        as_(other).get_function(FunctionName="mine")
    with error("InvalidSignatureException", 403):
        as_(admin, "wrong").get_function(FunctionName="mine")
    with error("UnrecognizedClientException", 403):
        as_({"id": "AKIANOBODY", "secret": "x"}).get_function(FunctionName="mine")
    same(http_call("GET", f"{url}/2015-03-31/functions/mine").status, 403, "unsigned")
    same(http_call("GET", f"{url}/_anyfn/v1/functions").status, 401, "native without a key")
    bearer = lambda k: http_call("GET", f"{url}/_anyfn/v1/functions", headers={"Authorization": f"Bearer {k['id']}.{k['secret']}"})
    same(bearer(admin).status, 200)
    same(bearer({**admin, "secret": "wrong"}).status, 401)
    same(bearer(caller).status, 403, "an invoke-only key lists nothing")
    same(http_call("GET", f"{url}/healthz").status, 200, "health needs no key")
    shown = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
    same("mine" in cli("ls", "--server", url, "--namespace", f"111111111111.{REGION}", "--key", shown["ANYFN_KEY"]).stdout, True, "the line that `key create` prints is one that `ls` takes")
    same(cli("ls", "--server", url, code=1).stdout, "", "no key, no list")
finally:
    server.send_signal(signal.SIGTERM)
    same(server.wait(timeout=45), 0)
log = open("err").read()
for k in (admin, caller, other):
    same(k["secret"] in log, False, "no secret in the log")
cli("key", "rm", caller["id"], "--data", "data")
same(caller["id"] in cli("key", "ls", "--data", "data").stdout, False)
