import signal
from conform import *

os.chdir(TMP)
flags = [ANYFN, "up", "--data", "data", "--listen", "127.0.0.1:0"]
plain = {k: v for k, v in os.environ.items() if not k.startswith("ANYFN")}


def start():
    server = subprocess.Popen(flags, stdout=subprocess.PIPE, stderr=open("err", "a"), text=True, env=plain)
    line = server.stdout.readline()
    same(line.startswith("anyfn ready http"), True, open("err").read()[-2000:])
    return server, line.split()[2]


server, url = start()
try:
    lam = client("lambda", endpoint_url=url)
    create(lam, "kept", python("def handler(e, c):\n    print('ran', e['n'])\n    return e['n']"), Publish=True, Tags={"a": "b"})
    lam.create_alias(FunctionName="kept", Name="prod", FunctionVersion="1")
    address = lam.create_function_url_config(FunctionName="kept", AuthType="AWS_IAM")["FunctionUrl"]
    # Nothing may run before the last start: the log lines of what ran just before a kill may be lost, what was queued may not.
    lam.put_function_concurrency(FunctionName="kept", ReservedConcurrentExecutions=0)
    for round in range(3):
        for n in range(20):
            status(lam.invoke(FunctionName="kept", InvocationType="Event", Payload=json.dumps({"n": f"r{round}n{n}"})), 202)
        server.send_signal(signal.SIGKILL); server.wait()
        server, url = start()
        lam = client("lambda", endpoint_url=url)
        same(lam.get_function_concurrency(FunctionName="kept")["ReservedConcurrentExecutions"], 0)
    lam.delete_function_concurrency(FunctionName="kept")
    same(run(lam, "kept", {"n": 7}, Qualifier="prod"), 7)
    logs = client("logs", endpoint_url=url)
    wanted = {f"r{r}n{n}" for r in range(3) for n in range(20)}

    def missing():
        pages_ = logs.get_paginator("filter_log_events").paginate(logGroupName="/aws/lambda/kept", filterPattern="ran")
        return wanted - {e["message"].split()[1] for p in pages_ for e in p["events"]}

    until(lambda: not missing() or print(len(missing()), "are missing"), "every acknowledged event ran at least once", tries=600)
    read = lam.get_function(FunctionName="kept")
    same((read["Tags"], read["Configuration"]["State"]), ({"a": "b"}, "Active"))
    path = lambda u: u.split("/_url/")[1]
    same(path(lam.get_function_url_config(FunctionName="kept")["FunctionUrl"]), path(address))
    second = subprocess.run([*flags], capture_output=True, text=True, env=plain, timeout=30)
    same(second.returncode, 1, "a second server on the same folder is refused")
finally:
    server.send_signal(signal.SIGTERM)
    same(server.wait(timeout=45), 0, "exit code after SIGTERM")
same([line for line in open("err") if " ERROR " in line or "panicked" in line], [], "its log")
