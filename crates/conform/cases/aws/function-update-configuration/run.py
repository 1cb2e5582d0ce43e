from conform import *

lam = client("lambda")
source = """
import os
def handler(event, context):
    return [os.environ.get("AA"), os.environ.get("BB"), int(context.memory_limit_in_mb)]
def other(event, context):
    return "other"
"""
create(lam, "conf", python(source), Environment={"Variables": {"AA": "1"}}, Description="first")
same(run(lam, "conf"), ["1", None, 128])
before = lam.get_function_configuration(FunctionName="conf")
done = status(lam.update_function_configuration(FunctionName="conf", Environment={"Variables": {"BB": "2"}}, MemorySize=192,
                                                RevisionId=before["RevisionId"]), 200)
has(done, MemorySize=192, Environment={"Variables": {"BB": "2"}}, Description="first", Timeout=10, CodeSha256=before["CodeSha256"])
same(done["RevisionId"] != before["RevisionId"], True, "a new RevisionId")
updated(lam, "conf")
same(run(lam, "conf"), [None, "2", 192])
with error("PreconditionFailedException", 412):
    lam.update_function_configuration(FunctionName="conf", Timeout=5, RevisionId=before["RevisionId"])
has(lam.update_function_configuration(FunctionName="conf", Handler="app.other", Timeout=5, Description="", Environment={"Variables": {}},
    EphemeralStorage={"Size": 1024}, TracingConfig={"Mode": "Active"}, Layers=[],
    LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG", "SystemLogLevel": "WARN"}),
    Handler="app.other", Timeout=5, Description="", Environment=None, EphemeralStorage={"Size": 1024}, TracingConfig={"Mode": "Active"},
    LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG", "SystemLogLevel": "WARN", "LogGroup": "/aws/lambda/conf"})
updated(lam, "conf")
same(run(lam, "conf"), "other")
with error("InvalidParameterValueException", 400, ".*reserved keys.*"):
    lam.update_function_configuration(FunctionName="conf", Environment={"Variables": {"LAMBDA_TASK_ROOT": "/"}})
with error("ResourceNotFoundException", 404):
    lam.update_function_configuration(FunctionName="none", Timeout=5)
