from conform import *

lam = client("lambda")
arn = create(lam, "tagged", Tags={"a": "1"})["FunctionArn"]
same(lam.list_tags(Resource=arn)["Tags"], {"a": "1"})
status(lam.tag_resource(Resource=arn, Tags={"a": "2", "b with blank": "ü"}), 204)
same(status(lam.list_tags(Resource=arn), 200)["Tags"], {"a": "2", "b with blank": "ü"})
same(lam.get_function(FunctionName="tagged")["Tags"], {"a": "2", "b with blank": "ü"})
status(lam.untag_resource(Resource=arn, TagKeys=["a", "never there"]), 204)
same(lam.list_tags(Resource=arn)["Tags"], {"b with blank": "ü"})
with error("InvalidParameterValueException", 400):
    lam.tag_resource(Resource=arn, Tags={f"k{n}": "v" for n in range(50)})
same(lam.list_tags(Resource=arn)["Tags"], {"b with blank": "ü"}, "a refused tagging changes nothing")
for call in (lambda r: lam.list_tags(Resource=r), lambda r: lam.tag_resource(Resource=r, Tags={"a": "1"}),
             lambda r: lam.untag_resource(Resource=r, TagKeys=["a"])):
    with error("ResourceNotFoundException", 404, r"Function not found: .*:function:none"):
        call(arn.replace("tagged", "none"))
