from conform import *

lam, logs = client("lambda"), client("logs")
source = "def handler(e, c):\n    print('said', c.aws_request_id)\n    return [c.log_group_name, c.log_stream_name]"
create(lam, "talks", python(source), Publish=True)
group, stream = run(lam, "talks")
same(group, "/aws/lambda/talks")
match(stream, r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}")
answer, (_, versioned) = invoke(lam, "talks", Qualifier="1")
match(versioned, r"\d{4}/\d\d/\d\d/\[1\][0-9a-f]{32}")
request_id = answer["ResponseMetadata"]["RequestId"]
messages = lambda s: [e["message"] for e in logs.get_log_events(logGroupName=group, logStreamName=s, startFromHead=True)["events"]]
lines = until(lambda: (lambda m: m if any("REPORT" in l for l in m) else None)(messages(versioned)), "the lines are kept")
same([l.split()[0] for l in lines if l.split()[0] in ("START", "said", "END", "REPORT")], ["START", "said", "END", "REPORT"], str(lines))
same(f"said {request_id}" in [l.strip() for l in lines], True)
match(next(l for l in lines if l.startswith("INIT_START")), r"INIT_START Runtime Version: .*")
found = logs.filter_log_events(logGroupName=group, filterPattern=f'"{request_id}"')["events"]
same({e["logStreamName"] for e in found}, {versioned})
same(sorted(s["logStreamName"] for s in logs.describe_log_streams(logGroupName=group)["logStreams"]), sorted([stream, versioned]))
newest = logs.describe_log_streams(logGroupName=group, orderBy="LastEventTime", descending=True, limit=1)["logStreams"][0]
same(newest["logStreamName"], versioned)
has(newest, lastEventTimestamp=..., firstEventTimestamp=..., lastIngestionTime=...)
other = client("logs", aws_access_key_id="999999999999", aws_secret_access_key="x")
with error("ResourceNotFoundException", 400):
    other.get_log_events(logGroupName=group, logStreamName=stream)
create(lam, "elsewhere", python(source), LoggingConfig={"LogGroup": "/mine/own"})
same(run(lam, "elsewhere")[0], "/mine/own")
until(lambda: logs.filter_log_events(logGroupName="/mine/own", filterPattern="said")["events"], "lines in the own group")
