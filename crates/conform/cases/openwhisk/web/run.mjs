import assert from "node:assert/strict";

const { ow, call, namespace, key } = await import(`${process.env.CASE_LIB}/whisk.mjs`);
const page = (path, options = {}) => call(options.method ?? "GET", `/api/v1/web/${namespace}/${path}`, { auth: null, ...options });
const make = (name, action, annotations = {}, params) => ow.actions.create({ name, action, params, annotations: { "web-export": true, ...annotations } });

await ow.actions.create({ name: "private", action: "function main() { return {}; }" });
assert.equal((await page("default/private")).status, 404);
assert.equal((await page("default/none")).status, 404);
await make("echo", "function main(p) { return { body: p }; }");
const echo = await page("default/echo/a/b%20c?x=1&y=%C3%BC", { method: "POST", body: { z: [2] }, headers: { "x-own": "me" } });
assert.equal(echo.status, 200);
assert.match(echo.headers.get("x-openwhisk-activation-id"), /^[0-9a-f]{32}$/);
const { x, y, z, __ow_method, __ow_path, __ow_headers, __ow_user } = echo.json;
assert.deepEqual({ x, y, z, __ow_method, __ow_path, __ow_user }, { x: "1", y: "ü", z: [2], __ow_method: "post", __ow_path: "/a/b c", __ow_user: undefined });
assert.equal(__ow_headers["x-own"], "me");
assert.equal((await page("default/echo.http", { auth: key })).json.__ow_user, namespace);
const form = await page("default/echo", { method: "POST", body: "a=1&b=2+3", headers: { "content-type": "application/x-www-form-urlencoded" } });
assert.deepEqual([form.json.a, form.json.b], ["1", "2 3"]);
assert.equal((await page("default/echo", { method: "PUT", body: "plain", headers: { "content-type": "text/plain" } })).json.__ow_body, "plain");
assert.equal((await page("default/echo?__ow_method=x")).status, 400);
assert.equal((await page("default/echo", { method: "POST", body: "{", headers: { "content-type": "application/json" } })).status, 400);
for (const method of ["PUT", "PATCH", "DELETE"]) assert.equal((await page("default/echo", { method })).json.__ow_method, method.toLowerCase());
assert.equal((await page("default/echo", { method: "HEAD" })).status, 200);

await make("shapes", "function main() { return { html: '<p>', text: 'plain', svg: '<svg/>', deep: { er: [1] } }; }");
for (const [path, kind, text] of [["shapes.html", "text/html; charset=utf-8", "<p>"], ["shapes.text", "text/plain; charset=utf-8", "plain"], ["shapes.svg", "image/svg+xml", "<svg/>"], ["shapes.json/deep", "application/json", '{"er":[1]}']]) {
  const got = await page(`default/${path}`);
  assert.deepEqual([got.status, got.headers.get("content-type"), got.text], [200, kind, text], path);
}
assert.equal((await page("default/shapes.json/none")).status, 404);
assert.equal((await page("default/shapes.html/deep")).status, 400);

await make("full", `function main(p) { return { statusCode: 418, headers: { "x-a": ["1", "2"], "set-cookie": ["a=1", "b=2"], "content-type": "image/png" }, body: Buffer.from([1, 2, 255]).toString("base64") }; }`);
const full = await page("default/full");
assert.deepEqual([full.status, full.headers.getSetCookie(), [...full.bytes]], [418, ["a=1", "b=2"], [1, 2, 255]]);
await make("redirect", "function main() { return { statusCode: 302, headers: { location: 'http://example.com/' } }; }");
const away = await page("default/redirect");
assert.deepEqual([away.status, away.headers.get("location")], [302, "http://example.com/"]);
await make("empty", "function main() {}");
assert.equal((await page("default/empty")).status, 204);
await make("fails", "function main(p) { if (p.how === 'http') return { error: { statusCode: 402, body: 'pay' } }; if (p.how === 'text') return { error: 'sad' }; throw new Error('boom'); }");
const paid = await page("default/fails?how=http");
assert.deepEqual([paid.status, paid.text], [402, "pay"]);
assert.equal((await page("default/fails?how=text")).status, 400);
assert.equal((await page("default/fails.text?how=text")).text, "sad");
const broken = await page("default/fails");
assert.deepEqual([broken.status, broken.json.error], [400, "There was an error processing your request."]);

await make("raw", "function main(p) { return { body: { q: p.__ow_query, b: p.__ow_body } }; }", { "raw-http": true });
assert.deepEqual((await page("default/raw?a=1&b", { method: "POST", body: '{"x": 1}', headers: { "content-type": "application/json" } })).json, { q: "a=1&b", b: '{"x": 1}' });
assert.equal((await page("default/raw", { method: "POST", body: new Uint8Array([255, 0]), headers: { "content-type": "image/png" } })).json.b, "/wA=");
await make("fixed", "function main(p) { return { body: p.a }; }", { final: true }, { a: "mine" });
assert.equal((await page("default/fixed")).text, "mine");
assert.equal((await page("default/fixed?a=yours")).status, 400);

await make("keyed", "function main() { return { body: 'in' }; }", { "require-whisk-auth": true });
assert.equal((await page("default/keyed")).status, 401);
assert.equal((await page("default/keyed", { auth: key })).text, "in");
await make("secret", "function main() { return { body: 'in' }; }", { "require-whisk-auth": "sesame" });
assert.equal((await page("default/secret", { headers: { "x-require-whisk-auth": "open" } })).status, 401);
assert.equal((await page("default/secret", { headers: { "x-require-whisk-auth": "sesame" } })).text, "in");

const asked = await page("default/echo", { method: "OPTIONS", headers: { "access-control-request-headers": "x-own" } });
assert.deepEqual([asked.status, asked.headers.get("access-control-allow-origin"), asked.headers.get("access-control-allow-headers")], [200, "*", "x-own"]);
assert.equal(echo.headers.get("access-control-allow-origin"), "*");
await make("options", "function main(p) { return { headers: { allow: 'all' }, body: p.__ow_method }; }", { "web-custom-options": true });
const own = await page("default/options", { method: "OPTIONS" });
assert.deepEqual([own.text, own.headers.get("allow"), own.headers.get("access-control-allow-origin")], ["options", "all", null]);

await ow.packages.create({ name: "site", package: { parameters: [{ key: "from", value: "package" }] } });
await make("site/echo", "function main(p) { return { body: p.from }; }");
assert.equal((await page("site/echo")).text, "package");
