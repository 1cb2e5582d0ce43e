from conform import *

lam = client("lambda")
arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:aliased"
source = "def handler(e, c): return [%d, c.function_version, c.invoked_function_arn]"
create(lam, "aliased", python(source % 1), Publish=True)
lam.update_function_code(FunctionName="aliased", ZipFile=python(source % 2), Publish=True); updated(lam, "aliased")
made = status(lam.create_alias(FunctionName="aliased", Name="prod", FunctionVersion="1", Description="d"), 201)
has(made, AliasArn=f"{arn}:prod", Name="prod", FunctionVersion="1", Description="d", RoutingConfig=None)
match(made["RevisionId"], UUID, "RevisionId")
read = status(lam.get_alias(FunctionName="aliased", Name="prod"), 200)
for one in (made, read):
    one.pop("ResponseMetadata")
same(read, made, "GetAlias")
answer, payload = invoke(lam, "aliased", Qualifier="prod")
same(answer["ExecutedVersion"], "1")
same(payload, [1, "1", f"{arn}:prod"])
same(lam.get_function(FunctionName="aliased", Qualifier="prod")["Configuration"]["Version"], "1", "GetFunction by alias")
with error("ResourceConflictException", 409, f"Alias already exists: {arn}:prod"):
    lam.create_alias(FunctionName="aliased", Name="prod", FunctionVersion="2")
with error("ResourceNotFoundException", 404, f"Function not found: {arn}:9"):
    lam.create_alias(FunctionName="aliased", Name="nine", FunctionVersion="9")
with error("ValidationException", 400):
    lam.create_alias(FunctionName="aliased", Name="123", FunctionVersion="1")
with error("PreconditionFailedException", 412):
    lam.update_alias(FunctionName="aliased", Name="prod", FunctionVersion="2", RevisionId="00000000-0000-0000-0000-000000000000")
moved = status(lam.update_alias(FunctionName="aliased", Name="prod", FunctionVersion="2", RevisionId=made["RevisionId"]), 200)
has(moved, FunctionVersion="2", Description="d")
same(moved["RevisionId"] != made["RevisionId"], True, "a new RevisionId")
same(run(lam, "aliased", Qualifier="prod")[:2], [2, "2"])
with error("ResourceConflictException", 409):
    lam.delete_function(FunctionName="aliased", Qualifier="2")
for name in ("a", "b", "c"):
    lam.create_alias(FunctionName="aliased", Name=name, FunctionVersion="1")
lam.create_alias(FunctionName="aliased", Name="newest", FunctionVersion="$LATEST")
found, counts = pages(lambda **m: lam.list_aliases(FunctionName="aliased", **m), "Aliases", 2)
same(sorted(a["Name"] for a in found), ["a", "b", "c", "newest", "prod"])
same(counts, [2, 2, 1], "pages")
same(sorted(a["Name"] for a in lam.list_aliases(FunctionName="aliased", FunctionVersion="1")["Aliases"]), ["a", "b", "c"])
status(lam.delete_alias(FunctionName="aliased", Name="a"), 204)
status(lam.delete_alias(FunctionName="aliased", Name="a"), 204)
with error("ResourceNotFoundException", 404, f"Cannot find alias arn: {arn}:a"):
    lam.get_alias(FunctionName="aliased", Name="a")
with error("ResourceNotFoundException", 404):
    lam.update_alias(FunctionName="aliased", Name="a", FunctionVersion="1")
with error("ResourceNotFoundException", 404):
    lam.invoke(FunctionName="aliased", Qualifier="a")
