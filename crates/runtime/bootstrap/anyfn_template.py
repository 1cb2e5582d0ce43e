"""A Python that has imported what functions need, has seen none of them, and is forked into their sandboxes.

It holds no secret, no environment of anybody's, no thread and no descriptor but the socket to its helper. What is imported
here must keep no state of its own that two children must not share: random numbers, process ids, open sockets.
"""

import gc
import os
import sys

_PLAIN = frozenset(sys.modules)

# What most functions import sooner or later, in the standard library.
_COMMON = (
    "_sitebuiltins",
    "base64",
    "collections",
    "concurrent.futures.thread",
    "contextlib",
    "copy",
    "dataclasses",
    "datetime",
    "decimal",
    "email.message",
    "email.parser",
    "enum",
    "functools",
    "hashlib",
    "hmac",
    "http.client",
    "importlib",
    "importlib.machinery",
    "importlib.util",
    "io",
    "json",
    "linecache",
    "locale",
    "logging",
    "math",
    "operator",
    "pathlib",
    "queue",
    "random",
    "re",
    "select",
    "socket",
    "ssl",
    "string",
    "struct",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "tokenize",
    "traceback",
    "typing",
    "urllib.error",
    "urllib.parse",
    "urllib.request",
    "uuid",
    "warnings",
    "zlib",
)

_own = {"pid": 0, "preloaded": frozenset(), "settle": [], "rehearse": []}


def wait(name):
    """Comes back in each child, once. `name` is a set of packages, `-` for none."""
    gc.disable()
    sys.dont_write_bytecode = True
    _paths()
    _import(_COMMON)
    for one in name.split(","):
        if one != "-":
            _SETS[one]()
    _forget()
    _own["pid"] = os.getpid()
    _own["preloaded"] = frozenset(module.partition(".")[0] for module in sys.modules) - _PLAIN
    native = _native()
    gc.collect()
    gc.freeze()
    gc.enable()
    _serve(native, int(os.environ["ANYFN_TEMPLATE_FD"]))
    sys.dont_write_bytecode = False


def _native():
    """The library that takes the steps which no script can take."""
    import ctypes

    return ctypes.PyDLL("/var/runtime/fork.so")


def _serve(native, control):
    """Comes back in each child, which is in its sandbox then, with its own descriptors and no others."""
    if native.template_ready(control) < 0:
        os._exit(70)
    while True:
        order = native.template_next(control)
        if order != 1:
            # The helper is gone, or something is wrong.
            os._exit(0 if order == 0 else 70)
        try:
            pid = os.fork()
        except OSError as error:
            pid = -(error.errno or 11)
        if pid == 0:
            if native.template_become() < 0:
                os._exit(70)
            return
        if native.template_forked(pid) < 0:
            os._exit(70)


def preloaded():
    """Top-level names that a plain start would still have to look up."""
    return _own["preloaded"]


def rehearse():
    """What the packages of this template do when they are first used, in a child that nobody waits for."""
    for one in _own["rehearse"]:
        one()


def reseed():
    """Nothing random may be the same in two children.

    `random` reseeds by itself after a fork, `uuid` and `secrets` ask the kernel, `tempfile` begins anew for each process
    id. OpenSSL tells a fork by the process id, which in another namespace may be the one that the template has."""
    if os.getpid() == _own["pid"] and "_ssl" in sys.modules:
        sys.modules["_ssl"].RAND_add(os.urandom(32), 32.0)
    random = sys.modules.get("random")
    if random is not None:
        random.seed()
    for settle in _own["settle"]:
        settle()


def _paths():
    """As the plain start has them, without the user's: `/var/runtime` goes, what the platform provides is last."""
    provided = "/var/runtime/python{}.{}".format(*sys.version_info[:2])
    del sys.path[0]
    if os.path.isdir(provided):
        sys.path.append(provided)


def _import(names):
    import importlib

    for name in names:
        try:
            importlib.import_module(name)
        except ImportError:
            # Not every Python has every module.
            pass


def _forget():
    """State of the imports that a plain start would not have."""
    import linecache
    import warnings

    linecache.clearcache()
    getattr(warnings, "onceregistry", {}).clear()
    for module in list(sys.modules.values()):
        registry = getattr(module, "__warningregistry__", None)
        if registry is not None:
            registry.clear()
    # A folder that was not there when it was looked up may be there in a sandbox.
    for path in [path for path, finder in sys.path_importer_cache.items() if finder is None]:
        del sys.path_importer_cache[path]


def _boto3():
    """Models are parsed and classes made once. The session that stays has never made a client, and so has read neither
    environment nor configuration nor credentials; it finds what the other one has parsed."""
    import boto3
    import boto3.session

    keys = {"aws_access_key_id": "none", "aws_secret_access_key": "none", "region_name": "us-east-1"}
    warm = boto3.session.Session(**keys)
    for service in ("s3", "dynamodb", "sqs", "sns", "lambda", "sts", "ssm", "secretsmanager"):
        warm.client(service)
    for service in ("s3", "dynamodb"):
        warm.resource(service)
    parsed = dict(warm._session.get_component("data_loader")._cache)
    # Sessions without boto3 know no resources.
    _share_models({key: model for key, model in parsed.items() if "resources-1" not in key})
    boto3.setup_default_session()
    session = boto3.DEFAULT_SESSION._session
    session.get_component("data_loader")._cache.update(parsed)
    session._config = session._profile_map = None
    _own["settle"].append(_settle_boto3)
    _own["rehearse"].append(lambda: boto3.session.Session(**keys).client("s3"))


def _share_models(parsed):
    """Loaders of sessions to come begin with the models that are parsed already, unless the user has models of his own."""
    import botocore.session

    create = botocore.session.create_loader

    def create_loader(search_path_string=None):
        loader = create(search_path_string)
        if search_path_string is None and not os.path.isdir(loader.CUSTOMER_DATA_PATH):
            loader._cache.update(parsed)
        return loader

    botocore.session.create_loader = create_loader


def _settle_boto3():
    """What the session that waits has taken from an environment that was not the function's."""
    import boto3
    from botocore.loaders import Loader

    if "AWS_DATA_PATH" in os.environ or "AWS_CONFIG_FILE" in os.environ or os.path.isdir(Loader.CUSTOMER_DATA_PATH):
        boto3.DEFAULT_SESSION = None


_SETS = {"boto3": _boto3}
