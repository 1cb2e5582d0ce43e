from conform import *

files = {"bootstrap": ("#!/bin/sh\nexec /usr/bin/env node node_modules/aws-lambda-ric/index.mjs \"$_HANDLER\"\n", 0o755),
         "index.js": "exports.handler = async (e, c) => { if (e === 'boom') throw new RangeError('boom'); return [e, c.awsRequestId]; };"}
root = f"{PARTS}/aws-lambda-ric"
for base, folders, names in os.walk(f"{root}/node_modules"):
    folders[:] = [f for f in folders if f not in ("deps", "src", "include", "obj.target", ".deps", ".bin", "node-gyp")]
    for name in names:
        whole = os.path.join(base, name)
        if os.path.islink(whole) or not name.endswith((".js", ".mjs", ".cjs", ".json", ".node")):
            continue
        with open(whole, "rb") as file:
            files[os.path.relpath(whole, root)] = (file.read(), 0o755 if name.endswith(".node") else 0o644)
lam = client("lambda")
create(lam, "ric", zipped(files), runtime="provided.al2023", Handler="index.handler", Timeout=20, MemorySize=512)
answer, payload = invoke(lam, "ric", '"hi"')
same(payload, ["hi", answer["ResponseMetadata"]["RequestId"]])
answer, payload = invoke(lam, "ric", '"boom"')
same(answer["FunctionError"], "Unhandled")
has(payload, errorType="RangeError", errorMessage="boom", trace=...)
same(run(lam, "ric", '"again"')[0], "again")
