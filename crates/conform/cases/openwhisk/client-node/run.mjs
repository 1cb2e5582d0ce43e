import assert from "node:assert/strict";

const { ow, namespace, refused, until, client } = await import(`${process.env.CASE_LIB}/whisk.mjs`);

const source = `function main(params) { console.log("hi", params.name); console.error("oh"); return { hello: params.name, by: process.env.__OW_ACTION_NAME, id: process.env.__OW_ACTIVATION_ID }; }`;
const made = await ow.actions.create({ name: "hello", action: source, params: { name: "nobody" }, annotations: { description: "greets" } });
assert.equal(made.name, "hello");
assert.equal(made.namespace, namespace);
assert.equal(made.version, "0.0.1");
assert.equal(made.exec.kind, "nodejs:20");
assert.deepEqual(made.parameters, [{ key: "name", value: "nobody" }]);
await refused(ow.actions.create({ name: "hello", action: source }), 409, /already exists/);
const got = await ow.actions.get("hello");
assert.equal(got.exec.code, source);
assert.deepEqual(got.limits, { timeout: 60000, memory: 256, logs: 10, concurrency: 1 });
assert.ok(got.annotations.some((a) => a.key === "exec" && a.value === "nodejs:20"));

const activation = await ow.actions.invoke({ name: "hello", blocking: true, params: { name: "you" } });
assert.match(activation.activationId, /^[0-9a-f]{32}$/);
assert.deepEqual(activation.response.result, { hello: "you", by: `/${namespace}/hello`, id: activation.activationId });
assert.deepEqual([activation.response.status, activation.response.success], ["success", true]);
assert.equal(activation.logs.length, 2);
assert.match(activation.logs[0], /^\d{4}-\d\d-\d\dT.*Z +stdout: hi you$/);
assert.match(activation.logs[1], /stderr: oh$/);
assert.ok(activation.annotations.some((a) => a.key === "initTime"), "the first call began an instance");
assert.deepEqual(await ow.actions.invoke({ name: "hello", blocking: true, result: true }).then((r) => r.hello), "nobody");

const again = await ow.activations.get({ name: activation.activationId });
assert.deepEqual(again, activation);
assert.deepEqual((await ow.activations.logs({ name: activation.activationId })).logs, activation.logs);
assert.deepEqual((await ow.activations.result({ name: activation.activationId })).result, activation.response.result);
const later = await ow.actions.invoke({ name: "hello", params: { name: "later" } });
assert.deepEqual(Object.keys(later), ["activationId"]);
const ended = await until(() => ow.activations.get({ name: later.activationId }), "the activation ends");
assert.equal(ended.response.result.hello, "later");
const list = await ow.activations.list({ name: "hello" });
assert.equal(list.length, 3);
assert.deepEqual(list.map((a) => a.activationId)[0], later.activationId);

await ow.actions.create({ name: "py", kind: "python:3", action: "import os\ndef main(args):\n    print('said')\n    return {'sum': args['a'] + args['b'], 'ns': os.environ['__OW_NAMESPACE']}\n" });
assert.deepEqual(await ow.actions.invoke({ name: "py", blocking: true, result: true, params: { a: 1, b: 2 } }), { sum: 3, ns: namespace });
assert.deepEqual((await ow.actions.list()).map((a) => a.name).sort(), ["hello", "py"]);
assert.equal((await ow.actions.update({ name: "hello", action: "const main = async () => ({ new: true });" })).version, "0.0.2");
assert.deepEqual(await ow.actions.invoke({ name: "hello", blocking: true, result: true }), { new: true });
assert.deepEqual(await ow.namespaces.list(), [namespace]);
await refused(ow.actions.invoke({ name: "none", blocking: true }), 404, /does not exist/);
await refused(client({ api_key: "nobody" }).actions.list(), 401, /authentication/);
await ow.actions.delete("hello");
await refused(ow.actions.get("hello"), 404);
