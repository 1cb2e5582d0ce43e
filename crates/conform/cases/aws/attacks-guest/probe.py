import ctypes
import errno
import os
import socket


def name(fault):
    return errno.errorcode.get(fault.errno, str(fault))


def attempt(work):
    try:
        work()
        return "ok"
    except OSError as fault:
        return name(fault)


def read(path):
    if os.path.isdir(path):
        os.listdir(path)
    else:
        with open(path, "rb") as file:
            file.read(1)


LIBC = ctypes.CDLL(None, use_errno=True)


def call(function, *args):
    ctypes.set_errno(0)
    return "ok" if getattr(LIBC, function)(*args) == 0 else errno.errorcode.get(ctypes.get_errno(), "?")


def connect(host, port):
    try:
        socket.create_connection((host, port), timeout=2).close()
        return "connected"
    except OSError as fault:
        return type(fault).__name__


def handler(event, context):
    status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
    port = event["port"]
    return {
        "paths": {path: attempt(lambda: read(path)) for path in event["paths"]},
        "home": os.listdir("/home"),
        "signal": attempt(lambda: os.kill(event["pid"], 0)),
        "processes": [int(pid) for pid in os.listdir("/proc") if pid.isdigit()],
        "mount": call("mount", b"none", b"/tmp", b"tmpfs", 0, None),
        "unshare": call("unshare", 0x10000000),
        "sethostname": call("sethostname", b"x", 1),
        "settime": call("settimeofday", ctypes.create_string_buffer(16), None),
        "ptrace": call("ptrace", 16, 1, None, None),
        "uid": os.getuid(),
        "caps": int(status["CapEff"], 16),
        "network": {f"{host}:{at}": connect(host, at) for host, at in (("127.0.0.1", port), ("0.0.0.0", port), ("localhost", port),
                    ("::ffff:127.0.0.1", port), ("2130706433", port), ("169.254.169.254", 80), ("100.100.100.200", 80), ("10.0.0.1", port))},
        "raw": {kind: attempt(lambda: socket.socket(*args).close()) for kind, args in {
            "raw": (socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP), "packet": (socket.AF_PACKET, socket.SOCK_RAW, 0)}.items()},
    }
