import assert from "node:assert/strict";

// Not yet: this case fails, and says so, until the dialect does what it asks for.
console.log("not yet: what this case asks for does not hold");
process.exit(77);

const { ow, call, namespace, key, account } = await import(`${process.env.CASE_LIB}/whisk.mjs`);
const fault = (answer, status, words) => {
  assert.equal(answer.status, status, `${answer.status} ${answer.text.slice(0, 200)}`);
  assert.match(answer.json.code, /^\S{1,64}$/);
  assert.equal(answer.headers.get("x-request-id"), answer.json.code);
  if (words) assert.match(answer.json.error, words);
};
const put = (name, body, more = {}) => call("PUT", `actions/${name}`, { body, ...more });
const exec = (code, kind = "nodejs:20") => ({ exec: { kind, code } });

fault(await put("a", "{not json"), 400, /malformed/);
fault(await put("a", "[1]"), 400, /malformed/);
fault(await put("a", {}), 400, /exec/);
fault(await put("a", { exec: { kind: "nodejs:20" } }), 400, /code/);
fault(await put("a", { exec: { code: "x" } }), 400, /malformed/);
fault(await put("a", { exec: { kind: "nodejs:20", code: 1 } }), 400);
fault(await put("a", { exec: { kind: "sequence", components: [] } }), 400);
fault(await put("a", { exec: { kind: "nodejs:20", code: "***", binary: true } }), 400, /base64/);
fault(await put("a?overwrite=maybe", exec("x")), 400, /boolean/);
for (const name of ["-a", "%20a", "a%00b", "a%2Fb%2Fc", "%C3%BC", "x".repeat(200)]) fault(await put(name, exec("x")), 400);
fault(await call("GET", "actions?limit=201"), 400);
fault(await call("GET", "actions?skip=-1"), 400);
fault(await call("GET", "nothing"), 404);
fault(await call("PATCH", "actions/a"), 405);
fault(await call("GET", "activations/abc"), 400);
fault(await call("GET", `activations/${"0".repeat(32)}`), 404);
fault(await call("GET", "actions", { auth: null }), 401);
fault(await call("GET", "actions", { auth: "nocolon" }), 401);
fault(await call("GET", "actions", { auth: null, headers: { authorization: "Basic !!!" } }), 401);
fault(await call("GET", "actions", { auth: "../x:y" }), 401);
const other = `9${account.slice(1)}:x`;
fault(await call("GET", `/api/v1/namespaces/${namespace}/actions`, { auth: other }), 403);
fault(await call("PUT", `/api/v1/namespaces/${namespace}/actions/a`, { auth: other, body: exec("x") }), 403);
fault(await call("GET", `/api/v1/namespaces/${namespace}/activations`, { auth: other }), 403);
const own = await call("GET", "actions", { headers: { "x-request-id": "mine-1" } });
assert.equal(own.headers.get("x-request-id"), "mine-1");

const size = 48 * 1024 * 1024;
fault(await put("large", exec("/".repeat(size + 1))), 413, /too large/);
fault(await put("params", { ...exec("x"), parameters: [{ key: "a", value: "x".repeat(1 << 20) }] }), 413);
assert.equal((await put("ok", exec("function main() { return { ok: 1 }; }"))).status, 200);
fault(await call("POST", "actions/ok?blocking=true", { body: { a: "x".repeat(1 << 20) } }), 413);
fault(await call("POST", "actions/ok?blocking=true", { body: "[1" }), 400, /malformed/);
fault(await call("POST", "actions/ok?blocking=true", { body: '"text"' }), 400);
fault(await call("POST", "actions/ok?blocking=true&timeout=60001", { body: {} }), 400);
fault(await call("POST", "actions/none?blocking=true", { body: {} }), 404);
assert.deepEqual((await call("POST", "actions/ok?blocking=true&result=true")).json, { ok: 1 });

// What the action does wrong, by its parameter; a call without one must be served after each.
const code = `const fs = require("fs");
function main(p) {
  switch (p.how) {
    case "throw": throw new TypeError("boom");
    case "reject": return Promise.reject({ why: 1 });
    case "error": return { error: "own" };
    case "text": return "text";
    case "null": return null;
    case "number": return 7;
    case "cycle": { const a = {}; a.a = a; return a; }
    case "exit": process.exit(3);
    case "kill": process.kill(process.pid, "SIGKILL");
    case "hang": for (;;);
    case "wait": return new Promise(() => {});
    case "close": fs.closeSync(3); return {};
    case "garbage": fs.writeSync(3, "no json\\n"); return {};
    case "twice": fs.writeSync(3, '{"first": 1}\\n'); return { second: 2 };
    case "large": return { a: "x".repeat(2 << 20) };
    case "flood": { const b = Buffer.alloc(1 << 20, 120); for (;;) fs.writeSync(3, b); }
    case "log": for (let i = 0; i < 200000; i++) console.log("x".repeat(99)); return { logged: 1 };
    case "line": process.stdout.write("y".repeat(5 << 20)); return { logged: 1 };
    case "async": setTimeout(() => { throw new Error("late"); }, 1); return new Promise(() => {});
    default: return { fine: true };
  }
}`;
const made = await put("wrong", { ...exec(code), limits: { timeout: 1500 } });
assert.equal(made.status, 200, made.text);
const developer = "action developer error", application = "application error";
for (const [how, status, words] of [
  ["throw", developer, /boom/], ["reject", application, /why/], ["error", application, /own/],
  ["text", developer, /dictionary/], ["null", developer, /dictionary/], ["number", developer, /dictionary/], ["cycle", developer, /no JSON/],
  ["exit", developer, /exited unexpectedly/], ["kill", developer, /exited unexpectedly/], ["hang", developer, /time limits of 1500/],
  ["wait", developer, /time limits of 1500/], ["close", developer, /exited unexpectedly/], ["garbage", developer, /valid JSON/], ["twice", developer, /valid JSON/],
  ["large", application, /exceeded the allowed length/], ["flood", application, /exceeded the allowed length/], ["async", developer, /exited unexpectedly/],
]) {
  const answer = await call("POST", "actions/wrong?blocking=true", { body: { how } });
  assert.equal(answer.status, 502, `${how}: ${answer.text.slice(0, 300)}`);
  assert.equal(answer.json.response.status, status, how);
  assert.equal(answer.json.response.success, false, how);
  assert.match(JSON.stringify(answer.json.response.result.error), words, how);
  assert.equal(answer.headers.get("x-openwhisk-activation-id"), answer.json.activationId);
  const kept = await call("GET", `activations/${answer.json.activationId}`);
  assert.deepEqual(kept.json, answer.json, how);
  const next = await call("POST", "actions/wrong?blocking=true&result=true", { body: {} });
  assert.deepEqual([next.status, next.json], [200, { fine: true }], `the call after ${how}`);
}
const logged = (await call("POST", "actions/wrong?blocking=true", { body: { how: "log" } })).json;
assert.deepEqual(logged.response.result, { logged: 1 });
assert.ok(JSON.stringify(logged.logs).length < 3 << 20, "a flood of lines stays small");
const line = (await call("POST", "actions/wrong?blocking=true", { body: { how: "line" } })).json;
assert.ok(line.logs[0].length < 70000);

await put("noload", exec("function main( {"));
const noload = await call("POST", "actions/noload?blocking=true");
assert.deepEqual([noload.status, noload.json.response.status], [502, developer]);
assert.match(noload.json.response.result.error, /Initialization has failed/);
await put("nomain", exec("exports.other = 1;"));
assert.match((await call("POST", "actions/nomain?blocking=true")).json.response.result.error, /not a function/);
await put("sleepy", { ...exec("const end = Date.now() + 1e6; while (Date.now() < end);\nfunction main() {}"), limits: { timeout: 800 } });
assert.match((await call("POST", "actions/sleepy?blocking=true")).json.response.result.error, /during initialization/);
const nobin = await put("nobin", { exec: { kind: "go:1.20", code: Buffer.from("not an executable").toString("base64"), binary: true } });
assert.equal(nobin.status, 200);
const ran = await call("POST", "actions/nobin?blocking=true");
assert.ok([502, 500].includes(ran.status), ran.text);
assert.deepEqual(await ow.actions.invoke({ name: "ok", blocking: true, result: true }), { ok: 1 });
