from conform import *

lam = client("lambda")
config = {"LogFormat": "JSON", "ApplicationLogLevel": "WARN", "SystemLogLevel": "INFO"}
source = """
import logging
def handler(event, context):
    logging.getLogger().info("not this")
    logging.getLogger("own").warning("this %s", "one")
"""


def lines(name):
    answer, _ = invoke(lam, name, LogType="Tail")
    return answer["ResponseMetadata"]["RequestId"], [json.loads(line) for line in tail(answer).splitlines()]


create(lam, "pyjson", python(source), LoggingConfig=config)
request_id, logged = lines("pyjson")
own = [line for line in logged if "level" in line]
same(len(own), 1, str(logged))
has(own[0], level="WARNING", message="this one", logger="own", requestId=request_id, timestamp=...)
kinds = [line["type"] for line in logged if "type" in line]
same([kind for kind in kinds if kind in ("platform.start", "platform.report")], ["platform.start", "platform.report"], str(kinds))
report = next(line for line in logged if line.get("type") == "platform.report")
has(report["record"], requestId=request_id, status="success", metrics=...)
has(report["record"]["metrics"], durationMs=..., billedDurationMs=..., memorySizeMB=128, maxMemoryUsedMB=...)
create(lam, "jsjson", zipped({"index.js": "exports.handler = async () => { console.info('not this'); console.warn('this', 1); };"}), runtime="nodejs22.x", LoggingConfig=config)
request_id, logged = lines("jsjson")
own = [line for line in logged if "level" in line]
same(len(own), 1, str(logged))
has(own[0], level="WARN", message="this 1", requestId=request_id, timestamp=...)
