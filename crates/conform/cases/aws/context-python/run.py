from conform import *

lam = client("lambda")
create(lam, "around", python(open("app.py").read()), Environment={"Variables": {"MINE": "ü yes", "TZ": "Europe/Paris"}}, MemorySize=256, Timeout=9)
arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:around"
answer, first = invoke(lam, "around")
request_id = answer["ResponseMetadata"]["RequestId"]
same(first["context"], {"function_name": "around", "function_version": "$LATEST", "invoked_function_arn": arn, "memory_limit_in_mb": "256",
                        "aws_request_id": request_id, "log_group_name": "/aws/lambda/around", "identity": True, "client_context": None})
same(8000 < first["remaining"] <= 9000, True, f"remaining {first['remaining']} ms")
env = first["env"]
has(env, MINE="ü yes", TZ="Europe/Paris", _HANDLER="app.handler", AWS_REGION=REGION, AWS_DEFAULT_REGION=REGION,
    AWS_LAMBDA_FUNCTION_NAME="around", AWS_LAMBDA_FUNCTION_VERSION="$LATEST", AWS_LAMBDA_FUNCTION_MEMORY_SIZE="256",
    AWS_LAMBDA_LOG_GROUP_NAME="/aws/lambda/around", AWS_LAMBDA_LOG_STREAM_NAME=..., AWS_LAMBDA_INITIALIZATION_TYPE="on-demand",
    AWS_EXECUTION_ENV="AWS_Lambda_python3.12", LAMBDA_TASK_ROOT="/var/task", LAMBDA_RUNTIME_DIR="/var/runtime", LANG="en_US.UTF-8",
    AWS_ACCESS_KEY_ID=None)
match(env["_X_AMZN_TRACE_ID"], r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=[01].*")
for name in env:
    same(name.startswith("ANYFN"), False, name)
same(first["cwd"], "/var/task")
same(first["task"], ["app.py"])
same(first["writes"], {"/var/task": "EROFS", "/opt": "EROFS", "/": "EROFS", "/tmp": "ok"})
same((first["count"], first["tmp"]), (1, []))
same(first["path0"], "/var/task")
second = run(lam, "around")
same((second["count"], second["tmp"]), (2, ["kept-1"]), "the same instance, its state and its /tmp")
same(second["env"]["AWS_LAMBDA_LOG_STREAM_NAME"], env["AWS_LAMBDA_LOG_STREAM_NAME"])
same(second["env"]["_X_AMZN_TRACE_ID"] != env["_X_AMZN_TRACE_ID"], True, "a trace for each call")
lam.update_function_configuration(FunctionName="around", Description="new"); updated(lam, "around")
same(run(lam, "around")["count"], 1, "new settings, new instance")
