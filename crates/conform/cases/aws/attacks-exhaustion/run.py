from conform import *

lam = client("lambda")
source = """
import errno, os, time
def handler(event, context):
    what = event["do"]
    if what == "fork":
        kids, code = [], None
        try:
            while len(kids) < 5000:
                pid = os.fork()
                if pid == 0:
                    time.sleep(60)
                    os._exit(0)
                kids.append(pid)
        except OSError as fault:
            code = errno.errorcode[fault.errno]
        return [len(kids), code]
    if what == "fds":
        files, code = [], None
        try:
            while len(files) < 100_000:
                files.append(open("/dev/null"))
        except OSError as fault:
            code = errno.errorcode[fault.errno]
        return [len(files), code]
    if what == "disk":
        written, code = 0, None
        try:
            with open("/tmp/big", "wb", buffering=0) as file:
                while written < 2 << 30:
                    written += file.write(b"x" * (1 << 20))
        except OSError as fault:
            code = errno.errorcode[fault.errno]
        return [written >> 20, code]
    if what == "output":
        print("x" * (50 << 20))
        for n in range(20000):
            print("flood", n)
        return "done"
    if what == "daemon":
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                while True:
                    pass
            os._exit(0)
        os.wait()
        return "left a daemon"
"""
create(lam, "floods", python(source), Timeout=40, MemorySize=1024)
create(lam, "neighbour", python("import uuid\nWHO = str(uuid.uuid4())\ndef handler(e, c): return WHO"))
before = run(lam, "neighbour")
count, code = run(lam, "floods", {"do": "fork"})
same((count < 1100, code), (True, "EAGAIN"), f"{count} processes")
lam.update_function_configuration(FunctionName="floods", Description="again"); updated(lam, "floods")
count, code = run(lam, "floods", {"do": "fds"})
same((count <= 1024, code), (True, "EMFILE"), f"{count} descriptors")
megabytes, code = run(lam, "floods", {"do": "disk"})
# The quota is of blocks: a little of what was asked for is left over from the file system's own.
same((megabytes <= 520, code in ("ENOSPC", "EDQUOT")), (True, True), f"{megabytes} MB, {code}")
same(run(lam, "floods", {"do": "output"}), "done")
same(run(lam, "floods", {"do": "daemon"}), "left a daemon")
same(run(lam, "neighbour"), before, "the neighbour's instance lives")
