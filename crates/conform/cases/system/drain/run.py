import signal, threading
from conform import *

os.chdir(TMP)
plain = {k: v for k, v in os.environ.items() if not k.startswith("ANYFN")}
server = subprocess.Popen([ANYFN, "up", "--data", "data", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=open("err", "w"), text=True, env=plain)
url = server.stdout.readline().split()[2]
lam = client("lambda", endpoint_url=url)
create(lam, "slow", python("import time\ndef handler(e, c):\n    time.sleep(3)\n    return 'done'"))
answers = []
call = threading.Thread(target=lambda: answers.append(run(lam, "slow")))
call.start()
busy = lambda: http_call("GET", f"{url}/_anyfn/v1/functions/slow?namespace={ACCOUNT}.{REGION}").json()["busy"]
until(lambda: busy() == 1, "the call runs")
server.send_signal(signal.SIGTERM)


def refused():
    try:
        return http_call("GET", f"{url}/readyz", timeout=5).status == 503
    except OSError:
        return True


until(refused, "readiness goes")
call.join()
same(answers, ["done"], "the running call ends well")
same(server.wait(timeout=45), 0, "exit code")
