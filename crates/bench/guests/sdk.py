import boto3

client = boto3.client("s3", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="y")


def handler(event, context):
    return {"hello": event.get("name", "world"), "client": client.meta.service_model.service_name}
