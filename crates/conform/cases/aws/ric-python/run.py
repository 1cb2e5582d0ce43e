import glob
from conform import *

site = glob.glob(f"{PARTS}/awslambdaric/lib/python3*/site-packages")[0]
version = re.search(r"python(3\.\d+)", site)[1]
files = {"bootstrap": (f"#!/bin/sh\nexec /usr/bin/env python{version} -m awslambdaric \"$_HANDLER\"\n", 0o755),
         "app.py": "import awslambdaric\ndef handler(e, c):\n    if e == 'boom': raise ValueError('boom')\n    return [e, c.aws_request_id, awslambdaric.__file__.startswith('/var/task')]"}
for base, _, names in os.walk(site):
    inside = os.path.relpath(base, site)
    if inside.split("/")[0] in ("awslambdaric", "simplejson", "snapshot_restore_py") or inside == ".":
        for name in names:
            if "__pycache__" in base or (inside == "." and not name.startswith("runtime_client")):
                continue
            with open(os.path.join(base, name), "rb") as file:
                files[os.path.normpath(os.path.join(inside, name))] = (file.read(), 0o755 if name.endswith(".so") else 0o644)
lam = client("lambda")
create(lam, "ric", zipped(files), runtime="provided.al2023", Handler="app.handler", Timeout=20, MemorySize=256,
       Environment={"Variables": {"PYTHONPATH": "/var/task"}})
answer, payload = invoke(lam, "ric", '"hi"')
same(payload, ["hi", answer["ResponseMetadata"]["RequestId"], True])
answer, payload = invoke(lam, "ric", '"boom"')
same(answer["FunctionError"], "Unhandled")
has(payload, errorType="ValueError", errorMessage="boom", requestId=answer["ResponseMetadata"]["RequestId"], stackTrace=...)
same(run(lam, "ric", '"again"')[0], "again")
