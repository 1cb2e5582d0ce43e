from conform import *

logs = client("logs")
arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/mine/a"
same(logs.describe_log_groups()["logGroups"], [])
status(logs.create_log_group(logGroupName="/mine/a", tags={"k": "v"}), 200)
with error("ResourceAlreadyExistsException", 400, r"The specified log group already exists"):
    logs.create_log_group(logGroupName="/mine/a")
for name in ("/mine/b", "/mine/c", "/other"):
    logs.create_log_group(logGroupName=name)
groups = [g for p in logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix="/mine/", PaginationConfig={"PageSize": 2}) for g in p["logGroups"]]
same([g["logGroupName"] for g in groups], ["/mine/a", "/mine/b", "/mine/c"])
has(groups[0], arn=f"{arn}:*", creationTime=..., metricFilterCount=0, storedBytes=..., retentionInDays=None)
has(groups[0], logGroupArn=arn)
status(logs.put_retention_policy(logGroupName="/mine/a", retentionInDays=7), 200)
same(logs.describe_log_groups(logGroupNamePrefix="/mine/a")["logGroups"][0]["retentionInDays"], 7)
with error("InvalidParameterException", 400):
    logs.put_retention_policy(logGroupName="/mine/a", retentionInDays=8)
logs.delete_retention_policy(logGroupName="/mine/a")
has(logs.describe_log_groups(logGroupNamePrefix="/mine/a")["logGroups"][0], retentionInDays=None)
same(logs.list_tags_for_resource(resourceArn=arn)["tags"], {"k": "v"})
logs.tag_resource(resourceArn=arn, tags={"k": "2", "l": "3"})
logs.untag_resource(resourceArn=arn, tagKeys=["k"])
same(logs.list_tags_for_resource(resourceArn=arn)["tags"], {"l": "3"})

for name in ("s1", "s2", "s3"):
    status(logs.create_log_stream(logGroupName="/mine/a", logStreamName=name), 200)
with error("ResourceAlreadyExistsException", 400, r"The specified log stream already exists"):
    logs.create_log_stream(logGroupName="/mine/a", logStreamName="s1")
first = logs.describe_log_streams(logGroupName="/mine/a", limit=2)
same([s["logStreamName"] for s in first["logStreams"]], ["s1", "s2"])
second = logs.describe_log_streams(logGroupName="/mine/a", nextToken=first["nextToken"], limit=2)
same(([s["logStreamName"] for s in second["logStreams"]], "nextToken" in second), (["s3"], False))
has(first["logStreams"][0], arn=f"{arn}:log-stream:s1", creationTime=..., storedBytes=0)
same([s["logStreamName"] for s in logs.describe_log_streams(logGroupName="/mine/a", logStreamNamePrefix="s3")["logStreams"]], ["s3"])
logs.delete_log_stream(logGroupName="/mine/a", logStreamName="s1")
with error("ResourceNotFoundException", 400, r"The specified log stream does not exist\."):
    logs.delete_log_stream(logGroupName="/mine/a", logStreamName="s1")
logs.delete_log_group(logGroupName="/mine/a")
for call in (lambda: logs.delete_log_group(logGroupName="/mine/a"), lambda: logs.describe_log_streams(logGroupName="/mine/a"),
             lambda: logs.create_log_stream(logGroupName="/mine/a", logStreamName="s"), lambda: logs.put_retention_policy(logGroupName="/mine/a", retentionInDays=7)):
    with error("ResourceNotFoundException", 400, r"The specified log group does not exist\."):
        call()
