"""What makes a forked child a function's: its environment, its folders, its place in the process tree.

A child that waits here knows nothing of anyone. Two frames come, so that one wake is enough for both where the second is
late: SPECIALISE with the environment, and GO when the sandbox has the function's folders. Before them comes WAIT if nobody
is known yet who they will be from: then there is time to rehearse.
"""

import os
import sys

_SPECIALISE = 2
_GO = 3
_WAIT = 4
_ACCEPT = 25
_DECLINE = 26

# The first byte of SPECIALISE.
_CHECK = 1


def run(next_frame, send, rehearse):
    """Blocks until this process is somebody's. Does not come back if nobody wants it."""
    frame = next_frame()
    if frame is not None and frame[0] == _WAIT:
        try:
            rehearse()
        except Exception:
            # Then the first time is later.
            pass
        frame = next_frame()
    if frame is None or frame[0] != _SPECIALISE:
        os._exit(0)
    check = frame[1] & _CHECK
    environment(bytes(frame[2:]))
    import anyfn_template

    anyfn_template.reseed()
    frame = next_frame()
    if frame is None or frame[0] != _GO:
        os._exit(0)
    os.chdir(os.environ.get("LAMBDA_TASK_ROOT", "/var/task"))
    _folders()
    if check:
        found = _shadowed(anyfn_template.preloaded())
        send(_DECLINE if found else _ACCEPT, ",".join(found)[:512].encode("utf-8", "replace"))
        if found:
            os._exit(0)


def environment(block):
    """Replaces all of it, for Python and for C code. `NAME=value`, each ended by a NUL."""
    import posix

    zone = os.environ.get("TZ")
    data = os.environ._data
    for name in list(data):
        os.unsetenv(name)
    data.clear()
    for pair in block.split(b"\0"):
        name, mark, value = pair.partition(b"=")
        if mark:
            data[name] = value
            posix.putenv(name, value)
    if posix.environ is not data:
        posix.environ.clear()
        posix.environ.update(data)
    if os.environ.get("TZ") != zone:
        import time

        time.tzset()


def _folders():
    """What `_paths` of the plain start does, on the path as the interpreter made it."""
    version = "python{}.{}".format(*sys.version_info[:2])
    task = os.environ.get("LAMBDA_TASK_ROOT", "/var/task")
    sys.path[:0] = [task, "/opt/python/lib/{}/site-packages".format(version), "/opt/python"]


def _shadowed(preloaded):
    """Modules that are here already although the function brings others of the same name, which a plain start would find
    first."""
    from importlib.machinery import all_suffixes

    suffixes = tuple(all_suffixes())
    found = set()
    for folder in sys.path[:3]:
        try:
            entries = os.listdir(folder)
        except OSError:
            continue
        for entry in entries:
            name = entry.partition(".")[0]
            if name in preloaded and _is_module(os.path.join(folder, entry), entry, suffixes):
                found.add(name)
    return sorted(found)


def _is_module(path, entry, suffixes):
    if entry.endswith(suffixes):
        return True
    # A folder without `__init__` is only a part of a namespace: a package further down the path comes before it.
    return any(os.path.exists(os.path.join(path, "__init__" + suffix)) for suffix in suffixes)
