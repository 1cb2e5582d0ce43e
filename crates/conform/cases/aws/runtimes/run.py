from conform import *

lam = client("lambda")
found = [r["runtime"] for r in json.loads(cli("--json", "doctor").stdout)["runtimes"]]
model = {v for s in [lam.meta.service_model.shape_for("Runtime")] for v in s.enum}
same(any(r.startswith("python") for r in found), True, f"runtimes: {found}")
tried = []
for runtime in found:
    if runtime not in model or runtime in ("python3.6", "python3.7"):
        continue
    name = re.sub(r"[^a-z0-9]", "-", runtime)
    if runtime.startswith("python"):
        create(lam, name, python("import sys\ndef handler(e, c): return 'python%d.%d' % sys.version_info[:2]"), runtime=runtime)
        same(run(lam, name), runtime)
    elif runtime.startswith("nodejs"):
        create(lam, name, node("export const handler = async () => `nodejs${process.versions.node.split('.')[0]}.x`;"), runtime=runtime)
        same(run(lam, name), runtime)
    else:
        continue
    tried.append(runtime)
same(len(tried) >= 1, True, f"tried {tried} of {found}")
