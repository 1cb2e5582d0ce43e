from conform import *

lam = client("lambda")
arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:"
seen = """({ name: context.functionName, version: context.functionVersion, arn: context.invokedFunctionArn, memory: context.memoryLimitInMB,
  id: context.awsRequestId, group: context.logGroupName, left: context.getRemainingTimeInMillis(), wait: context.callbackWaitsForEmptyEventLoop })"""
create(lam, "esm", zipped({"index.mjs": f"const ready = await Promise.resolve(7);\nexport const handler = async (event, context) => [ready, {seen}];"}), runtime="nodejs22.x")
answer, (ready, context) = invoke(lam, "esm")
same(ready, 7, "top-level await")
left = context.pop("left")
same(context, {"name": "esm", "version": "$LATEST", "arn": arn + "esm", "memory": "128", "id": answer["ResponseMetadata"]["RequestId"],
               "group": "/aws/lambda/esm", "wait": True})
same(8000 < left <= 10000, True, f"left {left}")
create(lam, "cjs", zipped({"index.js": "exports.handler = (event, context, callback) => { setTimeout(() => callback(null, {cjs: event}), 10); };"}), runtime="nodejs22.x")
same(run(lam, "cjs", {"a": 1}), {"cjs": {"a": 1}})
create(lam, "typed", zipped({"package.json": '{"type": "module"}', "index.js": "export const handler = async () => import.meta.url;"}), runtime="nodejs22.x")
same(run(lam, "typed"), "file:///var/task/index.js")
create(lam, "nested", zipped({"src/api/main.js": "exports.deep = { er: async () => 'deep' };"}), runtime="nodejs22.x", Handler="src/api/main.deep.er")
same(run(lam, "nested"), "deep")
create(lam, "nothing", zipped({"index.js": "exports.handler = async () => {};"}), runtime="nodejs22.x")
same(run(lam, "nothing"), None, "undefined becomes null")
create(lam, "nowait", zipped({"index.js": "exports.handler = (e, c, cb) => { c.callbackWaitsForEmptyEventLoop = false; setTimeout(() => {}, 60000); cb(null, 'at once'); };"}), runtime="nodejs22.x")
same(run(lam, "nowait"), "at once")
create(lam, "state", zipped({"index.js": "let n = 0; exports.handler = async () => ++n;"}), runtime="nodejs22.x")
same([run(lam, "state") for _ in range(3)], [1, 2, 3], "warm state")
create(lam, "logs", zipped({"index.js": "exports.handler = async () => { console.log('plain', {a: 1}); console.error('bad'); };"}), runtime="nodejs22.x")
answer, _ = invoke(lam, "logs", LogType="Tail")
request_id = answer["ResponseMetadata"]["RequestId"]
match(tail(answer), rf".*\d{{4}}-\d\d-\d\dT[\d:.]+Z\t{request_id}\tINFO\tplain {{ a: 1 }}\n.*\t{request_id}\tERROR\tbad\n.*")
