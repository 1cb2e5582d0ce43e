import queue, signal, threading
from conform import *

os.chdir(TMP)
os.mkdir("app")


def write(text):
    with open("app/lambda_function.py", "w") as file:
        file.write(f"def lambda_handler(event, context):\n    print('{text}')\n    return '{text}'\n")


write("first")
dev = subprocess.Popen([ANYFN, "dev", "app", "--data", "data", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       text=True, env={k: v for k, v in os.environ.items() if k not in ("ANYFN_SERVER", "ANYFN_NAMESPACE")})
lines = queue.Queue(maxsize=10_000)
threading.Thread(target=lambda: [lines.put(line) for line in dev.stdout], daemon=True).start()
seen = []


def wait(pattern):
    while True:
        seen.append(lines.get(timeout=30))
        found = re.search(pattern, seen[-1])
        if found:
            return found


try:
    wait(r"anyfn ready (http\S+)")
    url = wait(r"(http\S+/_url/\S+)")[1]
    call = lambda: http_call("GET", url).body.decode()
    same(call(), "first")
    wait("first")
    write("second, longer")
    until(lambda: call() == "second, longer", "the change is deployed")
    write("broken'")
    wait(r"app|lambda_function|error|failed|note|deployed")
    write("third")
    until(lambda: call() == "third", "it goes on after a broken file")
finally:
    dev.send_signal(signal.SIGINT)
    same(dev.wait(timeout=30), 0, "exit code after an interrupt")
