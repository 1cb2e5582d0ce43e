import base64, concurrent.futures, hashlib
from conform import *

lam = client("lambda", config={"max_pool_connections": 20})
create(lam, "dense")
packages = [python(f"def handler(e, c): return {n}") for n in range(100)]


def publish(package):
    while True:
        try:
            made = lam.update_function_code(FunctionName="dense", ZipFile=package, Publish=True)
            break
        except lam.exceptions.ResourceConflictException as fault:
            # As AWS says it to one of two updates at once; it is asked again until it goes through.
            match(fault.response["Error"]["Message"], r"The operation cannot be performed at this time\. An update is in progress for resource: .*|another update of the same function is in progress")
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
