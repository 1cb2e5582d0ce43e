"""The managed Python runtime: loads a handler, takes calls as frames on descriptor 3, answers on the same one.

It runs on every Python from 3.6 on and imports as little as it can before the user's code: a cold start is mostly imports.
With `--template NAME` it waits in `anyfn_template.py` and is forked; what comes back from there is the child, which is told
who it is (`anyfn_specialise.py`) and goes on from there as if it had just been started.
The frames are described in `link.rs` and `specialise.rs` beside it.
"""

import os
import sys

_LINK = 3
_READ = 65536

# Frames to the platform.
_READY = 16
_INIT_ERROR = 17
_RESPONSE = 18
_ERROR = 19

# Packages that take long to import: which of them a function has imported decides what it is forked from next time.
_HEAVY = ("boto3",)

class _Fault(Exception):
    """A failure with a type of the platform's own."""

    def __init__(self, error_type, message, trace=None):
        Exception.__init__(self, message)
        self.error_type = error_type
        self.message = message
        self.trace = trace


# ---------------------------------------------------------------- frames


def _write_all(fd, data):
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view):]


def _send(kind, payload):
    _write_all(_LINK, (len(payload) + 1).to_bytes(4, "little") + bytes((kind,)) + payload)


def _typed(error_type, body):
    name = error_type.encode("utf-8", "replace")[:1024]
    return len(name).to_bytes(2, "little") + name + body


class _Reader(object):
    """Whole frames from the link; what came too early is kept."""

    def __init__(self):
        self.rest = b""

    def frame(self):
        data = self.rest
        while len(data) < 4:
            more = os.read(_LINK, _READ)
            if not more:
                return None
            data += more
        need = 4 + int.from_bytes(data[:4], "little")
        if len(data) < need:
            whole = bytearray(need)
            whole[: len(data)] = data
            view = memoryview(whole)
            at = len(data)
            while at < need:
                got = os.readv(_LINK, [view[at:]])
                if not got:
                    return None
                at += got
            self.rest = b""
            return memoryview(bytes(whole))[4:]
        self.rest = data[need:]
        return memoryview(data)[4:need]


class _Call(object):
    __slots__ = ("deadline_ms", "id", "arn", "trace", "client_context", "tenant", "body")

    def __init__(self, frame):
        # frame[0] is the kind; the platform sends only calls.
        self.deadline_ms = int.from_bytes(frame[1:9], "little")
        at = 9
        texts = []
        for _ in range(5):
            length = int.from_bytes(frame[at:at + 2], "little")
            texts.append(str(frame[at + 2:at + 2 + length], "utf-8"))
            at += 2 + length
        self.id, self.arn, self.trace, self.client_context, self.tenant = texts
        self.body = bytes(frame[at:])


# ---------------------------------------------------------------- output


class _Log(object):
    """Records on the framed descriptor: one record is one event of the log, however many lines it has."""

    TEXT = 0xA55A0003
    JSON = 0xA55A0002
    # Bits of the level, by logging's number.
    LEVELS = {10: 0x08, 20: 0x0C, 30: 0x10, 40: 0x14, 50: 0x18}

    def __init__(self, fd):
        self.fd = fd

    def write(self, text, kind=TEXT):
        import time

        message = text.encode("utf-8", "replace")
        head = kind.to_bytes(4, "big") + len(message).to_bytes(4, "big")
        micros = int(time.time() * 1000000)
        _write_all(self.fd, head + micros.to_bytes(8, "big") + message)


class _Stream(object):
    """`sys.stdout` and `sys.stderr`: every line goes to the log at once and in order with logged records."""

    encoding = "utf-8"
    errors = "backslashreplace"
    newlines = None
    line_buffering = True
    closed = False
    mode = "w"

    def __init__(self, log, fd, name):
        self._log = log
        self._fd = fd
        self.name = name
        self._partial = ""
        self.buffer = _Bytes(self)

    def write(self, text):
        if not isinstance(text, str):
            raise TypeError("write() argument must be str, not {}".format(type(text).__name__))
        if "\n" in text:
            lines = (self._partial + text).split("\n")
            self._partial = lines.pop()
            for line in lines:
                self._log.write(line)
        else:
            self._partial += text
            if len(self._partial) > 262144:
                self.end_line()
        return len(text)

    def writelines(self, lines):
        for line in lines:
            self.write(line)

    def end_line(self):
        if self._partial:
            partial, self._partial = self._partial, ""
            self._log.write(partial)

    def flush(self):
        pass

    def fileno(self):
        return self._fd

    def isatty(self):
        return False

    def readable(self):
        return False

    def writable(self):
        return True

    def seekable(self):
        return False

    def reconfigure(self, **_):
        pass

    def close(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


class _Bytes(object):
    """The `buffer` of such a stream."""

    def __init__(self, stream):
        self._stream = stream
        self.raw = self

    def write(self, data):
        self._stream.write(bytes(data).decode("utf-8", "backslashreplace"))
        return len(data)

    def flush(self):
        pass

    def fileno(self):
        return self._stream.fileno()

    def isatty(self):
        return False

    def writable(self):
        return True


# ---------------------------------------------------------------- logging


_current = {"id": None}


def _patch_logging(logging, log):
    """The root logger's handler, in place before the user's code sees the module."""
    import time

    as_json = os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper()
    level = {"TRACE": "DEBUG", "FATAL": "CRITICAL"}.get(level, level)

    class LambdaLoggerHandler(logging.Handler):
        log_sink = log

        def emit(self, record):
            try:
                number = min(50, max(0, record.levelno)) // 10 * 10
                base = _Log.JSON if as_json else _Log.TEXT
                log.write(self.format(record), base | _Log.LEVELS.get(number, 0))
            except Exception:
                self.handleError(record)

    class RequestFilter(logging.Filter):
        def filter(self, record):
            record.aws_request_id = _current["id"] or ""
            return True

    handler = LambdaLoggerHandler()
    handler.addFilter(RequestFilter())
    if as_json:
        handler.setFormatter(_json_formatter(logging))
    else:
        text = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n"
        handler.setFormatter(logging.Formatter(text, "%Y-%m-%dT%H:%M:%S"))
    logging.Formatter.converter = time.gmtime
    root = logging.getLogger()
    if level in ("DEBUG", "INFO", "WARNING", "WARN", "ERROR", "CRITICAL"):
        root.setLevel(level)
    root.addHandler(handler)


def _json_formatter(logging):
    import json

    own = set(vars(logging.LogRecord("", 0, "", 0, "", (), None)))
    own |= {"message", "asctime", "aws_request_id", "taskName"}

    class JsonFormatter(logging.Formatter):
        def format(self, record):
            number = min(50, max(0, record.levelno)) // 10 * 10
            out = {
                "timestamp": self.formatTime(record, "%Y-%m-%dT%H:%M:%SZ"),
                "level": logging.getLevelName(number),
                "message": record.getMessage(),
                "logger": record.name,
            }
            if record.exc_info and record.exc_info[0] is not None:
                import traceback

                out["stackTrace"] = traceback.format_tb(record.exc_info[2])
                out["errorType"] = record.exc_info[0].__name__
                out["errorMessage"] = str(record.exc_info[1])
                out["location"] = "{}:{}:{}".format(record.pathname, record.funcName, record.lineno)
            if getattr(record, "aws_request_id", None):
                out["requestId"] = record.aws_request_id
            for key, value in vars(record).items():
                if key not in own and key not in out:
                    out[key] = value
            return json.dumps(out, ensure_ascii=False, default=str) + "\n"

    return JsonFormatter()


class _LoggingWatch(object):
    """Patches `logging` at the moment somebody imports it. Most of a small function's start would else be that import."""

    def __init__(self, log):
        self.log = log

    def find_spec(self, name, path=None, target=None):
        if name != "logging":
            return None
        sys.meta_path.remove(self)
        spec = None
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                break
        if spec is None or spec.loader is None:
            return spec
        loader, log = spec.loader, self.log
        execute = loader.exec_module

        def exec_module(module):
            execute(module)
            _patch_logging(module, log)

        try:
            loader.exec_module = exec_module
        except AttributeError:
            # A frozen loader is a class: import as usual and patch afterwards.
            pass
        return spec


def _watch_logging(log):
    if "logging" in sys.modules:
        _patch_logging(sys.modules["logging"], log)
    else:
        sys.meta_path.insert(0, _LoggingWatch(log))


# ---------------------------------------------------------------- context


class _Fields(object):
    """An object whose attributes are a few keys of a dictionary, None where they are missing."""

    __slots__ = ()

    def __init__(self, values):
        for field in self.__slots__:
            setattr(self, field, values.get(field))

    def __repr__(self):
        fields = ",".join("{}={}".format(field, getattr(self, field)) for field in self.__slots__)
        return "{}([{}])".format(type(self).__name__, fields)


class CognitoIdentity(_Fields):
    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")


class Client(_Fields):
    __slots__ = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")


class ClientContext(_Fields):
    __slots__ = ("custom", "env", "client")


class LambdaContext(object):
    def __init__(self, call):
        env = os.environ.get
        self.aws_request_id = call.id
        self.log_group_name = env("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = env("AWS_LAMBDA_LOG_STREAM_NAME")
        self.function_name = env("AWS_LAMBDA_FUNCTION_NAME")
        self.memory_limit_in_mb = env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.function_version = env("AWS_LAMBDA_FUNCTION_VERSION")
        self.invoked_function_arn = call.arn
        self.tenant_id = call.tenant or None
        self.client_context = _client_context(call.client_context)
        self.identity = CognitoIdentity({})
        self._epoch_deadline_time_in_ms = call.deadline_ms

    def get_remaining_time_in_millis(self):
        import time

        return max(0, self._epoch_deadline_time_in_ms - int(time.time() * 1000))

    def log(self, message):
        sys.stdout.write(str(message))

    def __repr__(self):
        fields = ",".join("{}={}".format(name, value) for name, value in vars(self).items() if name[0] != "_")
        return "LambdaContext([{}])".format(fields)


def _client_context(text):
    if not text:
        return None
    import json

    try:
        context = ClientContext(json.loads(text))
    except Exception as error:
        raise _Fault("Runtime.LambdaContextUnmarshalError", "Unable to parse Client Context JSON: {}".format(error))
    if context.client is not None:
        context.client = Client(context.client)
    return context


# ---------------------------------------------------------------- the user's code


def _load(name):
    """The handler that `a/b.c.handler` names."""
    module_name, dot, function = name.rpartition(".")
    if not dot:
        text = "Bad handler '{}': not enough values to unpack (expected 2, got 1)".format(name)
        raise _Fault("Runtime.MalformedHandlerName", text)
    if module_name.split(".")[0] in sys.builtin_module_names:
        text = "Cannot use built-in module {} as a handler module".format(module_name)
        raise _Fault("Runtime.BuiltInModuleConflict", text)
    try:
        import importlib

        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        raise _Fault("Runtime.ImportModuleError", "Unable to import module '{}': {}".format(module_name, error))
    except SyntaxError as error:
        trace = ['  File "{}" Line {}\n    {}'.format(error.filename, error.lineno, error.text)]
        text = "Syntax error in module '{}': {}".format(module_name, error)
        raise _Fault("Runtime.UserCodeSyntaxError", text, trace)
    try:
        return getattr(module, function)
    except AttributeError:
        text = "Handler '{}' missing on module '{}'".format(function, module_name)
        raise _Fault("Runtime.HandlerNotFound", text)


def _make_json():
    """`loads` and `encode`. The package `json` takes as long to import as the interpreter to start, so its engine is used
    directly where it behaves as expected; whatever it refuses is done again by the package, for its exact words."""
    version = os.environ.get("AWS_EXECUTION_ENV", "").rpartition("python3.")[2]
    ascii_only = version.isdigit() and int(version) < 12

    def slow_loads(body):
        import json

        return json.loads(body)

    def slow_encode(value):
        import json

        try:
            return json.dumps(value, ensure_ascii=ascii_only)
        except TypeError:
            if "decimal" not in sys.modules:
                raise
            return _encode_decimals(json, value, ascii_only)

    try:
        fast = _engine(ascii_only)
        probe = {"a": [1, 1.5, "\u00fc", None, True]}
        same = '{"a": [1, 1.5, "\\u00fc", null, true]}' if ascii_only else '{"a": [1, 1.5, "\u00fc", null, true]}'
        if fast[1](probe) != same or fast[0](same.encode("utf-8")) != probe:
            return slow_loads, slow_encode
    except Exception:
        return slow_loads, slow_encode

    def loads(body):
        try:
            return fast[0](body)
        except Exception:
            return slow_loads(body)

    def encode(value):
        try:
            return fast[1](value)
        except Exception:
            return slow_encode(value)

    return loads, encode


def _engine(ascii_only):
    import _json

    class Settings(object):
        strict = True
        object_hook = None
        object_pairs_hook = None
        parse_float = float
        parse_int = int
        memo = {}

        @staticmethod
        def parse_constant(name):
            return float(name.replace("Infinity", "inf").replace("NaN", "nan"))

    scan = _json.make_scanner(Settings())
    space = " \t\n\r"

    def loads(body):
        text = str(body, "utf-8").strip(space)
        value, end = scan(text, 0)
        if end != len(text):
            raise ValueError("extra data")
        return value

    def refuse(value):
        raise TypeError(type(value).__name__)

    quote = _json.encode_basestring_ascii if ascii_only else _json.encode_basestring

    def encode(value):
        return "".join(_json.make_encoder({}, refuse, quote, None, ": ", ", ", False, False, True)(value, 0))

    return loads, encode


def _encode_decimals(json, value, ascii_only):
    import re
    from decimal import Decimal

    mark = os.urandom(16).hex()
    numbers = []

    def default(item):
        if not isinstance(item, Decimal):
            raise TypeError("Object of type {} is not JSON serializable".format(type(item).__name__))
        if item.is_nan():
            return float("nan")
        numbers.append(str(item))
        return mark + str(len(numbers) - 1)

    text = json.dumps(value, ensure_ascii=ascii_only, default=default)
    return re.sub('"' + mark + '([0-9]+)"', lambda match: numbers[int(match.group(1))], text)


# ---------------------------------------------------------------- failures


def _describe(error, request_id):
    """What the caller gets."""
    if isinstance(error, _Fault):
        message, error_type, trace = error.message, error.error_type, error.trace
    else:
        import traceback

        frames = traceback.extract_tb(error.__traceback__)
        while frames and frames[0].filename == _main.__code__.co_filename:
            frames = frames[1:]
        message, error_type, trace = str(error), type(error).__name__, traceback.format_list(frames)
    return {
        "errorMessage": message,
        "errorType": error_type,
        "requestId": request_id or "",
        "stackTrace": trace or [],
    }


def _log_failure(log, about):
    if os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON":
        import json
        import time

        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        head = {"timestamp": stamp, "log_level": "ERROR"}
        head.update(about)
        log.write(json.dumps(head, ensure_ascii=False), _Log.JSON | 0x14)
        return
    lines = ["[ERROR] {}: {}".format(about["errorType"], about["errorMessage"])]
    if about["stackTrace"]:
        lines.append("Traceback (most recent call last):")
        for element in about["stackTrace"]:
            for line in element.splitlines():
                bare = line.lstrip(" ")
                # A no-break space keeps the indentation where consoles trim.
                lines.append("\u00a0" * (len(line) - len(bare)) + bare)
    log.write("\n".join(lines), _Log.TEXT | 0x14)


def _failed(log, error, request_id):
    import json

    about = _describe(error, request_id)
    _log_failure(log, about)
    return _typed(about["errorType"], json.dumps(about).encode("utf-8"))


# ---------------------------------------------------------------- the loop


def _serve(handler, log, streams, reader):
    loads, encode = _make_json()
    environ = os.environ
    while True:
        frame = reader.frame()
        if frame is None:
            return
        call = _Call(frame)
        _current["id"] = call.id
        if call.trace:
            environ["_X_AMZN_TRACE_ID"] = call.trace
        else:
            environ.pop("_X_AMZN_TRACE_ID", None)
        try:
            context = LambdaContext(call)
            try:
                event = loads(call.body)
            except Exception as error:
                raise _Fault("Runtime.UnmarshalError", "Unable to unmarshal input: {}".format(error))
            result = handler(event, context)
            if isinstance(result, bytes):
                kind, payload = _RESPONSE, result
            else:
                try:
                    kind, payload = _RESPONSE, encode(result).encode("utf-8")
                except Exception as error:
                    text = "Unable to marshal response: {}".format(error)
                    raise _Fault("Runtime.MarshalError", text)
        except Exception as error:
            kind, payload = _ERROR, _failed(log, error, call.id)
        for stream in streams:
            stream.end_line()
        _send(kind, payload)


def _paths():
    """`/var/runtime` (this file's folder) gives way to the user's code and layers; last come packages of the platform."""
    version = "python{}.{}".format(*sys.version_info[:2])
    task = os.environ.get("LAMBDA_TASK_ROOT", "/var/task")
    del sys.path[0]
    sys.path[:0] = [task, "/opt/python/lib/{}/site-packages".format(version), "/opt/python"]
    provided = "/var/runtime/" + version
    if os.path.isdir(provided):
        sys.path.append(provided)


_EXAMPLE = """
import json
import os

class Example(object):
    names = ("a", "b")

    def __init__(self, value=None):
        self.value = value

    def text(self):
        return "{}".format(self.value) if self.value else ""

def handler(event, context):
    return {"event": json.dumps(event), "name": os.environ.get("NAME"), "list": [number for number in range(3)]}
"""


def _rehearse():
    """What a start does, with nobody's names, while nobody waits: a page that is shared with the template costs more to
    change for the first time than the change itself."""
    import anyfn_specialise
    import anyfn_template
    import importlib
    import logging

    anyfn_specialise.environment(b"".join(b"NAME_%d=%080d\0" % (at, at) for at in range(30)))
    log = _Log(-1)
    _Stream(log, -1, "")
    _patch_logging(logging, log)
    root = logging.getLogger()
    root.handlers.clear()
    root.setLevel(logging.WARNING)
    # A function's way: found, read, compiled, run. There is no code in the sandbox yet but the interpreter's own.
    if "colorsys" not in sys.modules:
        importlib.import_module("colorsys")
        del sys.modules["colorsys"]
    exec(compile(_EXAMPLE, "<rehearsal>", "exec"), {"__name__": "rehearsal"})
    call = _Call(memoryview(bytes(9) + _typed("id", b"") + bytes(8) + b'{"a": [1, "b", null, 1.5]}'))
    LambdaContext(call)
    loads, encode = _make_json()
    encode(loads(call.body))
    anyfn_template.rehearse()


def _main():
    reader = _Reader()
    if sys.argv[1:2] == ["--template"]:
        import anyfn_specialise
        import anyfn_template

        anyfn_template.wait(sys.argv[2])
        del sys.argv[1:]
        anyfn_specialise.run(reader.frame, _send, _rehearse)
    else:
        _paths()
    log = _Log(int(os.environ.pop("_LAMBDA_TELEMETRY_LOG_FD")))
    for fd in (_LINK, log.fd):
        os.set_inheritable(fd, False)
    streams = (_Stream(log, 1, "<stdout>"), _Stream(log, 2, "<stderr>"))
    sys.stdout, sys.stderr = streams
    sys.__stdout__, sys.__stderr__ = streams
    _watch_logging(log)
    # What `site` would have brought and programs use.
    import _sitebuiltins
    import builtins

    builtins.exit = _sitebuiltins.Quitter("exit", "Ctrl-D")
    builtins.quit = _sitebuiltins.Quitter("quit", "Ctrl-D")
    try:
        handler = _load(os.environ.get("_HANDLER", ""))
    except Exception as error:
        payload = _failed(log, error, None)
        for stream in streams:
            stream.end_line()
        _send(_INIT_ERROR, payload)
        sys.exit(1)
    _send(_READY, ",".join(name for name in _HEAVY if name in sys.modules).encode("ascii"))
    _serve(handler, log, streams, reader)


if __name__ == "__main__":
    _main()
