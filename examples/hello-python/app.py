def handler(event, context):
    print("hello from the log")
    return {"hello": event.get("name", "world")}
