import assert from "node:assert/strict";

// Not yet: this case fails, and says so, until the dialect does what it asks for.
console.log("not yet: what this case asks for does not hold");
process.exit(77);

const { ow, refused, until, namespace } = await import(`${process.env.CASE_LIB}/whisk.mjs`);
const run = (name, params = {}) => ow.actions.invoke({ name, blocking: true, params });
await ow.actions.create({ name: "add", action: "function main(p) { return { n: p.n + 1, who: p.who }; }", params: { n: 0 } });
await ow.actions.create({ name: "fail", action: "function main(p) { return { error: 'at ' + p.n }; }" });
const made = await ow.actions.create({ name: "two", sequence: ["add", `/${namespace}/add`] });
assert.deepEqual(made.exec, { kind: "sequence", components: [`/${namespace}/add`, `/${namespace}/add`] });
const two = await run("two", { n: 5, who: "me" });
assert.deepEqual(two.response.result, { n: 7, who: "me" });
assert.equal(two.logs.length, 2);
assert.ok(two.annotations.some((a) => a.key === "topmost" && a.value === true));
assert.ok(two.annotations.some((a) => a.key === "kind" && a.value === "sequence"));
const step = await ow.activations.get({ name: two.logs[1] });
assert.deepEqual([step.cause, step.response.result.n], [two.activationId, 7]);
assert.ok(step.annotations.some((a) => a.key === "causedBy" && a.value === "sequence"));
await ow.actions.create({ name: "four", sequence: ["two", "two"] });
assert.equal((await run("four")).response.result.n, 4);
await ow.actions.create({ name: "stops", sequence: ["add", "fail", "add"] });
await refused(run("stops"), 502, /at 1/);
const stopped = await ow.activations.list({ name: "stops", docs: true });
assert.deepEqual([stopped[0].response.status, stopped[0].logs.length], ["application error", 2]);
await refused(ow.actions.create({ name: "none", sequence: ["nothing"] }), 400, /does not exist/);
await refused(ow.actions.update({ name: "two", sequence: ["four"] }), 400, /refer to itself/);
await refused(ow.actions.create({ name: "long", sequence: Array(51).fill("add") }), 400, /Too many/);
const later = await ow.actions.invoke({ name: "two", params: { n: 1 } });
assert.equal((await until(() => ow.activations.get({ name: later.activationId }), "the sequence ends")).response.result.n, 3);

const conductor = `function main(p) {
  switch (p.$step || 0) {
    case 0: return { action: "add", params: { n: p.n }, state: { $step: 1, kept: "yes" } };
    case 1: return { action: "fail", params: { n: p.n }, state: { $step: 2, kept: p.kept } };
    default: return { params: { error_heard: p.error, kept: p.kept } };
  }
}`;
await ow.actions.create({ name: "conductor", action: conductor, annotations: { conductor: true } });
const composed = await run("conductor", { n: 10 });
assert.deepEqual(composed.response.result, { error_heard: "at 11", kept: "yes" });
assert.equal(composed.logs.length, 5, "three turns, two actions");
assert.ok(composed.annotations.some((a) => a.key === "conductor" && a.value === true));
assert.equal((await ow.activations.get({ name: composed.logs[0] })).cause, composed.activationId);
await ow.actions.create({ name: "forever", action: "function main() { return { action: 'add', params: { n: 0 } }; }", annotations: { conductor: true } });
await refused(run("forever"), 502, /Too many actions/);
await ow.actions.create({ name: "lost", action: "function main(p) { return p.error ? { params: { told: p.error } } : { action: 'nothing', params: {} }; }", annotations: { conductor: true } });
assert.match((await run("lost")).response.result.told, /Failed to resolve action/);
