import concurrent.futures, time
from botocore.config import Config
from conform import *
import boto3

logs = client("logs")
logs.create_log_group(logGroupName="live"); logs.create_log_stream(logGroupName="live", logStreamName="s")
arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:live"
# This operation has a host prefix; the address given is the whole address.
tail_client = client("logs", config={"inject_host_prefix": False})
answer = tail_client.start_live_tail(logGroupIdentifiers=[arn], logEventFilterPattern="wanted")
stream = iter(answer["responseStream"])
first = next(stream)
has(first["sessionStart"], logGroupIdentifiers=[arn], sessionId=..., requestId=...)
now = int(time.time() * 1000)
logs.put_log_events(logGroupName="live", logStreamName="s", logEvents=[{"timestamp": now, "message": "wanted 1"}, {"timestamp": now, "message": "other"},
                                                                         {"timestamp": now, "message": "wanted 2"}])
got = []
for event in stream:
    update = event["sessionUpdate"]
    has(update["sessionMetadata"], sampled=False)
    got += update["sessionResults"]
    if len(got) >= 2:
        break
same([e["message"] for e in got], ["wanted 1", "wanted 2"])
has(got[0], logStreamName="s", timestamp=now, ingestionTime=..., logGroupIdentifier=...)
answer["responseStream"].close()
with error("ResourceNotFoundException", 400):
    tail_client.start_live_tail(logGroupIdentifiers=[arn.replace("live", "none")])
