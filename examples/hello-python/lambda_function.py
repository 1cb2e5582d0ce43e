import json


def lambda_handler(event, context):
    name = (event or {}).get("name", "world") if isinstance(event, (dict, type(None))) else "world"
    print(json.dumps({"greeting": name, "request": context.aws_request_id}))
    return {"message": f"Hello, {name}!", "function": context.function_name}
