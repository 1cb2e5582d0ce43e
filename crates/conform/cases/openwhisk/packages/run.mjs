import assert from "node:assert/strict";

// Not yet: this case fails, and says so, until the dialect does what it asks for.
console.log("not yet: what this case asks for does not hold");
process.exit(77);

const { ow, client, call, refused, namespace, account } = await import(`${process.env.CASE_LIB}/whisk.mjs`);
const params = (all) => Object.entries(all).map(([key, value]) => ({ key, value }));
const action = "function main(p) { return p; }";

await refused(ow.actions.create({ name: "tools/echo", action }), 404);
await ow.packages.create({ name: "tools", package: { parameters: params({ a: "package", b: "package", c: "package", d: "package" }) } });
await refused(ow.packages.create({ name: "tools" }), 409);
const made = await ow.actions.create({ name: "tools/echo", action, params: { c: "action", d: "action" } });
assert.deepEqual([made.name, made.namespace], ["echo", `${namespace}/tools`]);
const run = (name, given = {}, as = ow) => as.actions.invoke({ name, blocking: true, result: true, params: given });
assert.deepEqual(await run("tools/echo", { d: "call" }), { a: "package", b: "package", c: "action", d: "call" });
const binding = { namespace: "_", name: "tools" };
await ow.packages.create({ name: "bound", package: { binding, parameters: params({ b: "binding", c: "binding" }) } });
assert.deepEqual(await run("bound/echo", { d: "call" }), { a: "package", b: "binding", c: "action", d: "call" });
const got = await ow.packages.get("bound");
assert.deepEqual(got.binding, { namespace, name: "tools" });
assert.deepEqual(got.actions.map((a) => a.name), ["echo"]);
assert.deepEqual((await ow.packages.list()).map((p) => p.name).sort(), ["bound", "tools"]);
assert.deepEqual(await ow.packages.list({ count: true }), { packages: 2 });
await refused(ow.actions.create({ name: "bound/x", action }), 400, /binding/);
await refused(ow.packages.create({ name: "far", package: { binding: { namespace: "_", name: "none" } } }), 400);
await refused(ow.packages.create({ name: "twice", package: { binding: { namespace: "_", name: "bound" } } }), 400);

const other = client({ api_key: `9${account.slice(1)}:x` });
await refused(run(`/${namespace}/tools/echo`, {}, other), 403);
await refused(other.packages.create({ name: "theirs", package: { binding: { namespace, name: "tools" } } }), 403);
await ow.packages.update({ name: "tools", package: { publish: true } });
assert.equal((await run(`/${namespace}/tools/echo`, { d: 1 }, other)).d, 1);
await other.packages.create({ name: "theirs", package: { binding: { namespace, name: "tools" }, parameters: params({ a: "theirs" }) } });
const theirs = await other.actions.invoke({ name: "theirs/echo", blocking: true });
assert.deepEqual(theirs.response.result, { a: "theirs", b: "package", c: "action", d: "action" });
assert.notEqual(theirs.namespace, namespace, "the activation is the caller's");
assert.ok(theirs.annotations.some((a) => a.key === "binding"));
await refused(ow.activations.get({ name: theirs.activationId }), 404);
assert.equal((await other.activations.get({ name: theirs.activationId })).activationId, theirs.activationId);
await refused(other.packages.delete({ name: `/${namespace}/tools` }), 403);
await refused(other.actions.delete({ name: `/${namespace}/tools/echo` }), 403);
await other.packages.delete("theirs");

await ow.packages.delete("bound");
await refused(ow.packages.delete("tools"), 409, /not empty/);
assert.equal((await call("DELETE", "packages/tools?force=true")).status, 200);
await refused(ow.packages.get("tools"), 404);
await refused(ow.actions.get("tools/echo"), 404);
const limits = await call("GET", "limits");
assert.equal(limits.json.concurrentInvocations, 1000);
for (const name of ["a/b/c", "-x", "x".repeat(300)]) await refused(ow.packages.create({ name: encodeURIComponent(name) }), 400);
