# One line of JSON in on descriptor 0, one line out on descriptor 3: the activation's id, so that what the action's own code
# writes there answers nothing, and its result, or `!` and the reason of a developer's error. The first line out is
# {"ok":true}, or `!` with the reason why the code could not be loaded.
import json
import os
import sys

ROOT = "/var/task"


def say(line):
    data = line.encode("utf-8", "surrogatepass") + b"\n"
    while data:
        data = data[os.write(3, data):]


def failed(message):
    return "!" + json.dumps(message)


def flushed():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass


def report():
    import traceback

    traceback.print_exc()
    flushed()


def load(name):
    import types

    sys.path.insert(0, ROOT)
    home = os.path.join(ROOT, "virtualenv", "lib")
    if os.path.isdir(home):
        for release in sorted(os.listdir(home)):
            sys.path.insert(1, os.path.join(home, release, "site-packages"))
    file = os.path.join(ROOT, "__main__.py")
    if not os.path.isfile(file):
        raise RuntimeError("Zip file does not include __main__.py")
    with open(file, "rb") as source:
        code = compile(source.read(), file, "exec", dont_inherit=True)
    module = types.ModuleType("main__")
    module.__file__ = file
    sys.modules["main__"] = module
    exec(code, module.__dict__)
    main = getattr(module, name, None)
    if not callable(main):
        raise RuntimeError(f"Action entrypoint '{name}' is not a function.")
    return main


def run(main, value):
    try:
        result = main(value)
    except Exception as error:
        report()
        result = {"error": str(error)}
    if result is None:
        result = {}
    if not isinstance(result, (dict, list)):
        return failed("The action did not return a dictionary.")
    try:
        return json.dumps(result, ensure_ascii=False)
    except Exception as error:
        report()
        return failed(f"The action's result is no JSON: {error}")


def serve():
    name = os.environ.pop("ANYFN_MAIN", "main")
    os.environ.pop("ANYFN_SOURCE", None)
    try:
        main = load(name)
    except Exception as error:
        report()
        return say(failed(f"Initialization has failed due to: {error}"))
    say('{"ok":true}')
    for line in sys.stdin.buffer:
        facts = json.loads(line)
        value = facts.pop("value", {})
        for key, fact in facts.items():
            os.environ["__OW_" + key.upper()] = str(fact)
        answer = run(main, value)
        flushed()
        say(f"{facts['activation_id']} {answer}")


serve()
