import base64, concurrent.futures, hashlib
from conform import *

lam = client("lambda", config={"max_pool_connections": 20})
create(lam, "dense")
packages = [python(f"def handler(e, c): return {n}") for n in range(100)]


def publish(package):
    made = lam.update_function_code(FunctionName="dense", ZipFile=package, Publish=True)
    sha = base64.b64encode(hashlib.sha256(package).digest()).decode()
    return int(made["Version"]), made["CodeSha256"], sha


with concurrent.futures.ThreadPoolExecutor(20) as pool:
    done = list(pool.map(publish, packages))
same(sorted(version for version, _, _ in done), list(range(1, 101)), "versions")
for version, told, sha in done:
    same(told, sha, f"hash of version {version}")
kept = {v["Version"]: v["CodeSha256"] for p in lam.get_paginator("list_versions_by_function").paginate(FunctionName="dense") for v in p["Versions"]}
for version, _, sha in done:
    same(kept[str(version)], sha, f"kept hash of version {version}")
