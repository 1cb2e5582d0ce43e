// What the OpenWhisk cases share: the npm client, plain requests, waiting.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

export const require = createRequire(`${process.env.ANYFN_PARTS}/openwhisk/`);
export const server = process.env.ANYFN_SERVER;
export const namespace = process.env.ANYFN_NAMESPACE;
export const account = process.env.AWS_ACCESS_KEY_ID;
export const tmp = process.env.CASE_TMP;
export const key = `00000000-0000-0000-0000-${account}:secret`;
export const client = (more = {}) => require("openwhisk")({ apihost: server, api_key: key, ...more });
export const ow = client();

export async function call(method, path, { body, headers = {}, auth = key } = {}) {
  const url = path.startsWith("/api") ? server + path : `${server}/api/v1/namespaces/_/${path}`;
  const all = { ...(auth ? { authorization: `Basic ${Buffer.from(auth).toString("base64")}` } : {}), ...headers };
  const json = body !== undefined && typeof body !== "string" && !(body instanceof Uint8Array);
  if (json && !("content-type" in all)) all["content-type"] = "application/json";
  const answer = await fetch(url, { method, headers: all, body: json ? JSON.stringify(body) : body, redirect: "manual" });
  const bytes = Buffer.from(await answer.arrayBuffer());
  let parsed;
  try { parsed = JSON.parse(bytes); } catch { /* not JSON */ }
  return { status: answer.status, headers: answer.headers, text: bytes.toString(), bytes, json: parsed };
}

export async function refused(promise, status, words) {
  await assert.rejects(promise, (error) => {
    assert.equal(error.statusCode, status, `${error.message}`);
    if (words) assert.match(JSON.stringify(error.error), words);
    return true;
  });
}

export async function until(what, why, ms = 20000) {
  const end = Date.now() + ms;
  for (;;) {
    const found = await what().catch(() => undefined);
    if (found) return found;
    if (Date.now() > end) throw new Error(`waited in vain: ${why}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}
