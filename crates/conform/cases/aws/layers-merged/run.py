from conform import *

lam = client("lambda")
arns = []
for n in (1, 2):
    files = {"python/tools.py": f"WHO = {n}", f"only{n}": str(n), "both": f"from {n}"}
    arns.append(lam.publish_layer_version(LayerName=f"layer{n}", Content={"ZipFile": zipped(files)})["LayerVersionArn"])
source = """
import os, tools
def handler(event, context):
    try:
        open("/opt/both", "a")
        writable = True
    except OSError:
        writable = False
    return [tools.WHO, open("/opt/both").read(), sorted(os.listdir("/opt")), writable]
"""
made = create(lam, "layered", python(source), Layers=arns)
same([l["Arn"] for l in made["Layers"]], arns, "Layers")
same([l["CodeSize"] > 0 for l in made["Layers"]], [True, True])
same(run(lam, "layered"), [2, "from 2", ["both", "only1", "only2", "python"], False])
lam.update_function_configuration(FunctionName="layered", Layers=arns[::-1]); updated(lam, "layered")
same(run(lam, "layered")[:2], [1, "from 1"], "the other order")
lam.delete_layer_version(LayerName="layer1", VersionNumber=1)
lam.update_function_code(FunctionName="layered", ZipFile=python(source + "\n# again")); updated(lam, "layered")
same(run(lam, "layered")[:2], [1, "from 1"], "a deleted version serves on")
with error("InvalidParameterValueException", 400, r"Layer version arn:aws:lambda:.*:layer:layer1:1 does not exist\."):
    create(lam, "late", python(source), wait=False, Layers=[arns[0]])
with error("InvalidParameterValueException", 400, r"Cannot reference more than 5 layers\.|.*5.*"):
    create(lam, "many", python(source), wait=False, Layers=[arns[1]] * 6)
module = zipped({"nodejs/node_modules/tool/index.js": "exports.who = 'layer';"})
layer = lam.publish_layer_version(LayerName="njs", Content={"ZipFile": module})["LayerVersionArn"]
create(lam, "nlayered", zipped({"index.js": "const t = require('tool'); exports.handler = async () => t.who;"}), runtime="nodejs22.x", Layers=[layer])
same(run(lam, "nlayered"), "layer")
