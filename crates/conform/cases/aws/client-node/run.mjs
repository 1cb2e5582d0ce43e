import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.ANYFN_PARTS}/client-lambda/`);
const sdk = require("@aws-sdk/client-lambda");
const tmp = process.env.CASE_TMP;
const lambda = new sdk.Lambda({ maxAttempts: 1 });
writeFileSync(`${tmp}/index.mjs`, `export const handler = async (event) => { if (event.fail) throw new TypeError("boom"); return { hello: event.name }; };`);
execFileSync("python3", ["-m", "zipfile", "-c", "code.zip", "index.mjs"], { cwd: tmp });
const made = await lambda.createFunction({ FunctionName: "sdk", Runtime: "nodejs22.x", Handler: "index.handler",
  Role: `arn:aws:iam::${process.env.AWS_ACCESS_KEY_ID}:role/r`, Code: { ZipFile: readFileSync(`${tmp}/code.zip`) } });
assert.equal(made.$metadata.httpStatusCode, 201);
assert.equal(made.State, "Pending");
await sdk.waitUntilFunctionActiveV2({ client: lambda, maxWaitTime: 40, minDelay: 1 }, { FunctionName: "sdk" });
const answer = await lambda.invoke({ FunctionName: "sdk", Payload: JSON.stringify({ name: "you" }), LogType: "Tail" });
assert.deepEqual(JSON.parse(answer.Payload.transformToString()), { hello: "you" });
assert.equal(answer.StatusCode, 200);
assert.match(Buffer.from(answer.LogResult, "base64").toString(), /REPORT RequestId/);
const failed = await lambda.invoke({ FunctionName: "sdk", Payload: JSON.stringify({ fail: 1 }) });
assert.equal(failed.FunctionError, "Unhandled");
assert.equal(JSON.parse(failed.Payload.transformToString()).errorType, "TypeError");
const stream = await lambda.invokeWithResponseStream({ FunctionName: "sdk", Payload: JSON.stringify({ name: "stream" }) });
let text = "", complete;
for await (const event of stream.EventStream) {
  if (event.PayloadChunk) text += Buffer.from(event.PayloadChunk.Payload).toString();
  if (event.InvokeComplete) complete = event.InvokeComplete;
}
assert.deepEqual(JSON.parse(text), { hello: "stream" });
assert.equal(complete.ErrorCode, undefined);
await assert.rejects(lambda.getFunction({ FunctionName: "none" }), (e) => e instanceof sdk.ResourceNotFoundException && e.Type === "User" && e.$metadata.httpStatusCode === 404);
await lambda.deleteFunction({ FunctionName: "sdk" });
await assert.rejects(lambda.getFunction({ FunctionName: "sdk" }), sdk.ResourceNotFoundException);
