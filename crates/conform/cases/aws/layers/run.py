import base64, hashlib
from conform import *

lam = client("lambda")
arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:tools"
same(lam.list_layers()["Layers"], [])
first = zipped({"python/tools.py": "WHO = 1"})
made = status(lam.publish_layer_version(LayerName="tools", Description="d", Content={"ZipFile": first}, LicenseInfo="MIT",
                                        CompatibleRuntimes=["python3.12", "python3.13"], CompatibleArchitectures=["x86_64"]), 201)
has(made, LayerArn=arn, LayerVersionArn=f"{arn}:1", Version=1, Description="d", LicenseInfo="MIT", CreatedDate=...,
    CompatibleRuntimes=["python3.12", "python3.13"], CompatibleArchitectures=["x86_64"])
match(made["CreatedDate"], LAMBDA_TIME, "CreatedDate")
has(made["Content"], CodeSize=len(first), CodeSha256=base64.b64encode(hashlib.sha256(first).digest()).decode(), Location=...)
same(http_call("GET", made["Content"]["Location"]).body == first, True, "the layer comes back to the byte")
for version in (2, 3):
    same(lam.publish_layer_version(LayerName="tools", Content={"ZipFile": zipped({"python/tools.py": f"WHO = {version}"})})["Version"], version)
lam.publish_layer_version(LayerName="zother", Content={"ZipFile": zipped({"x": "x"})}, CompatibleRuntimes=["nodejs22.x"])
read = status(lam.get_layer_version(LayerName="tools", VersionNumber=1), 200)
has(read, LayerVersionArn=f"{arn}:1", Version=1, Description="d")
by_arn = status(lam.get_layer_version_by_arn(Arn=f"{arn}:1"), 200)
same([by_arn[k] for k in ("LayerVersionArn", "Version", "CreatedDate")], [read[k] for k in ("LayerVersionArn", "Version", "CreatedDate")])
has(lam.get_layer_version(LayerName=arn, VersionNumber=2), LayerVersionArn=f"{arn}:2")
found, counts = pages(lambda **m: lam.list_layer_versions(LayerName="tools", **m), "LayerVersions", 2)
same([v["Version"] for v in found], [3, 2, 1], "newest first")
same(counts, [2, 1], "pages")
same([v["Version"] for v in lam.list_layer_versions(LayerName="tools", CompatibleRuntime="python3.12")["LayerVersions"]], [1])
layers = lam.list_layers()["Layers"]
same([(l["LayerName"], l["LayerArn"], l["LatestMatchingVersion"]["Version"]) for l in layers],
     [("tools", arn, 3), ("zother", arn.replace("tools", "zother"), 1)])
same([l["LayerName"] for l in lam.list_layers(CompatibleRuntime="nodejs22.x")["Layers"]], ["zother"])

with error("ResourceNotFoundException", 404, r"No policy is associated with the given resource\."):
    lam.get_layer_version_policy(LayerName="tools", VersionNumber=1)
given = status(lam.add_layer_version_permission(LayerName="tools", VersionNumber=1, StatementId="all", Action="lambda:GetLayerVersion", Principal="*"), 201)
statement = json.loads(given["Statement"])
same(statement, {"Sid": "all", "Effect": "Allow", "Principal": "*", "Action": "lambda:GetLayerVersion", "Resource": f"{arn}:1"})
with error("ResourceConflictException", 409):
    lam.add_layer_version_permission(LayerName="tools", VersionNumber=1, StatementId="all", Action="lambda:GetLayerVersion", Principal="*")
policy = status(lam.get_layer_version_policy(LayerName="tools", VersionNumber=1), 200)
same(json.loads(policy["Policy"])["Statement"], [statement])
match(policy["RevisionId"], UUID, "RevisionId")
with error("PreconditionFailedException", 412):
    lam.remove_layer_version_permission(LayerName="tools", VersionNumber=1, StatementId="all", RevisionId="00000000-0000-0000-0000-000000000000")
status(lam.remove_layer_version_permission(LayerName="tools", VersionNumber=1, StatementId="all", RevisionId=policy["RevisionId"]), 204)
with error("ResourceNotFoundException", 404):
    lam.remove_layer_version_permission(LayerName="tools", VersionNumber=1, StatementId="all")

status(lam.delete_layer_version(LayerName="tools", VersionNumber=3), 204)
status(lam.delete_layer_version(LayerName="tools", VersionNumber=3), 204)
with error("ResourceNotFoundException", 404, r"The resource you requested does not exist\."):
    lam.get_layer_version(LayerName="tools", VersionNumber=3)
same(lam.publish_layer_version(LayerName="tools", Content={"ZipFile": first})["Version"], 4, "a deleted number does not come back")
with error("InvalidParameterValueException", 400):
    lam.publish_layer_version(LayerName="tools", Content={"ZipFile": b"nothing"})
