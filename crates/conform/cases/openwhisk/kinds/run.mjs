import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";

// Not yet: this case fails, and says so, until the dialect does what it asks for.
console.log("not yet: what this case asks for does not hold");
process.exit(77);

const { ow, call, refused, tmp } = await import(`${process.env.CASE_LIB}/whisk.mjs`);
const run = (name, params = {}) => ow.actions.invoke({ name, blocking: true, result: true, params });

function zip(name, files) {
  const dir = `${tmp}/${name}`;
  mkdirSync(dir);
  for (const [file, text] of Object.entries(files)) {
    writeFileSync(`${dir}/${file}`, text);
    if (file === "exec") chmodSync(`${dir}/${file}`, 0o755);
  }
  execFileSync("python3", ["-c", "import os,sys,zipfile\nz=zipfile.ZipFile(sys.argv[1],'w')\nfor f in sorted(os.listdir('.')): z.write(f)\nz.close()", `${tmp}/${name}.zip`], { cwd: dir });
  return readFileSync(`${tmp}/${name}.zip`);
}

await ow.actions.create({ name: "exports", action: "exports.main = (p) => ({ got: p.x });" });
assert.deepEqual(await run("exports", { x: [1, "ü", null] }), { got: [1, "ü", null] });
await ow.actions.create({ name: "module", action: "import os from 'node:os';\nexport async function main() { return { platform: os.platform() }; }" });
assert.deepEqual(await run("module"), { platform: "linux" });
await ow.actions.create({ name: "named", action: "function other() { return [1, 2]; }", exec: { main: "other" } });
assert.deepEqual(await run("named"), [1, 2]);
assert.equal((await ow.actions.get("named")).exec.main, "other");

const node = zip("nodezip", { "package.json": '{"main": "app.js"}', "app.js": "const h = require('./help'); exports.main = () => ({ helped: h() });", "help.js": "module.exports = () => 'yes';" });
await ow.actions.create({ name: "nodezip", kind: "nodejs:20", action: node });
assert.deepEqual(await run("nodezip"), { helped: "yes" });
const got = await ow.actions.get("nodezip");
assert.deepEqual([got.exec.binary, got.exec.code === node.toString("base64")], [true, true]);
assert.equal((await ow.actions.get({ name: "nodezip", code: false })).exec.code, undefined);
await ow.actions.create({ name: "pyzip", kind: "python:3.11", action: zip("pyzip", { "__main__.py": "from help import helped\ndef main(args):\n    return {'helped': helped(args)}\n", "help.py": "def helped(args): return sorted(args)\n" }) });
assert.deepEqual(await run("pyzip", { b: 1, a: 2 }), { helped: ["a", "b"] });

const loop = "#!/usr/bin/python3\nimport json, os, sys\nout = os.fdopen(3, 'w')\nn = 0\nfor line in sys.stdin:\n    n += 1\n    call = json.loads(line)\n    print('call', n, flush=True)\n    out.write(json.dumps({'n': n, 'value': call['value'], 'id': call['activation_id']}) + '\\n')\n    out.flush()\n";
await ow.actions.create({ name: "go", kind: "go:1.20", action: Buffer.from(loop) });
const first = await ow.actions.invoke({ name: "go", blocking: true, params: { a: 1 } });
assert.deepEqual(first.response.result, { n: 1, value: { a: 1 }, id: first.activationId });
assert.match(first.logs.join("\n"), /stdout: call 1/);
assert.equal((await run("go")).n, 2, "one process, many calls");
await ow.actions.create({ name: "execzip", kind: "rust:1.34", action: zip("execzip", { exec: loop }) });
assert.equal((await run("execzip")).n, 1);
await ow.actions.create({ name: "black", action: { exec: { kind: "blackbox", code: loop }, annotations: [{ key: "actionloop", value: true }] } });
assert.equal((await run("black")).n, 1);

await refused(ow.actions.create({ name: "image", action: { exec: { kind: "blackbox", image: "me/image" } } }), 400, /container images/);
await refused(ow.actions.create({ name: "cobol", kind: "cobol:85", action: "x" }), 400, /not supported/);
await refused(ow.actions.create({ name: "source", kind: "go:1.20", action: "package main\nfunc Main() {}" }), 400, /not compiled/);
await refused(ow.actions.create({ name: "broken", kind: "nodejs:20", action: Buffer.from("PKbroken zip") }), 400);
for (const limits of [{ timeout: 99 }, { timeout: 300001 }, { memory: 1 }, { logs: 11 }, { concurrency: 0 }]) {
  await refused(ow.actions.create({ name: "limits", action: "x", limits }), 400, /allowed range/);
}
const info = await call("GET", "/api/v1", { auth: null });
assert.equal(info.status, 200);
assert.ok(info.json.runtimes.nodejs.some((k) => k.kind === "nodejs:20" && k.default));
