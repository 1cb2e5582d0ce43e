import time
from conform import *

logs = client("logs")
now = int(time.time() * 1000)
logs.create_log_group(logGroupName="g")
for name in ("s1", "s2"):
    logs.create_log_stream(logGroupName="g", logStreamName=name)
events = [{"timestamp": now - 10_000 + n, "message": f"ERROR line {n}" if n % 3 == 0 else f"line {n}"} for n in range(10)]
put = status(logs.put_log_events(logGroupName="g", logStreamName="s1", logEvents=events), 200)
has(put, nextSequenceToken=...)
logs.put_log_events(logGroupName="g", logStreamName="s2", logEvents=[{"timestamp": now - 5, "message": '{"level": "ERROR", "n": 7}'},
                                                                       {"timestamp": now - 4, "message": '{"level": "INFO", "n": 8}'}])
with error("InvalidParameterException", 400):
    logs.put_log_events(logGroupName="g", logStreamName="s1", logEvents=list(reversed(events)))
late = logs.put_log_events(logGroupName="g", logStreamName="s1", logEvents=[{"timestamp": now - 15 * 86_400_000, "message": "too old"}])
has(late["rejectedLogEventsInfo"], tooOldLogEventEndIndex=...)

page = logs.get_log_events(logGroupName="g", logStreamName="s1", startFromHead=True, limit=4)
same([e["message"] for e in page["events"]], [e["message"] for e in events[:4]])
has(page["events"][0], timestamp=events[0]["timestamp"], ingestionTime=...)
match(page["nextForwardToken"], r"f/\d+.*"); match(page["nextBackwardToken"], r"b/\d+.*")
seen, token = list(page["events"]), page["nextForwardToken"]
while True:
    page = logs.get_log_events(logGroupName="g", logStreamName="s1", startFromHead=True, limit=4, nextToken=token)
    if page["nextForwardToken"] == token:
        break
    seen, token = seen + page["events"], page["nextForwardToken"]
same([e["message"] for e in seen], [e["message"] for e in events], "all pages, each event once")
last = logs.get_log_events(logGroupName="g", logStreamName="s1", limit=2)
same([e["message"] for e in last["events"]], ["line 8", "ERROR line 9"], "from the tail unless startFromHead")
window = logs.get_log_events(logGroupName="g", logStreamName="s1", startTime=now - 9_998, endTime=now - 9_996, startFromHead=True)
same([e["message"] for e in window["events"]], ["line 2", "ERROR line 3"], "endTime is not included")

everything = [e for p in logs.get_paginator("filter_log_events").paginate(logGroupName="g", PaginationConfig={"PageSize": 5}) for e in p["events"]]
same(len(everything), 12)
same([e["timestamp"] for e in everything], sorted(e["timestamp"] for e in everything), "in order of time over streams")
same(len({e["eventId"] for e in everything}), 12, "event ids")
has(everything[0], logStreamName="s1", ingestionTime=...)
find = lambda pattern, **m: [e["message"] for p in logs.get_paginator("filter_log_events").paginate(logGroupName="g", filterPattern=pattern, **m) for e in p["events"]]
same(find("ERROR", logStreamNames=["s1"]), [f"ERROR line {n}" for n in (0, 3, 6, 9)])
same(find('"line 4"'), ["line 4"])
same(find("ERROR -9", logStreamNames=["s1"]), [f"ERROR line {n}" for n in (0, 3, 6)])
same(find('?"line 1" ?"line 2"'), ["line 1", "line 2"])
same(find('{ $.level = "ERROR" }'), ['{"level": "ERROR", "n": 7}'])
same(find("{ $.n > 7 && $.level = \"INFO\" }"), ['{"level": "INFO", "n": 8}'])
same(find("", logStreamNamePrefix="s2") == [e["message"] for e in everything if e["logStreamName"] == "s2"], True)
with error("InvalidParameterException", 400):
    logs.filter_log_events(logGroupName="g", filterPattern="{ $.a = ")
with error("ResourceNotFoundException", 400, r"The specified log group does not exist\."):
    logs.filter_log_events(logGroupName="none")
with error("ResourceNotFoundException", 400, r"The specified log stream does not exist\."):
    logs.get_log_events(logGroupName="g", logStreamName="none")
