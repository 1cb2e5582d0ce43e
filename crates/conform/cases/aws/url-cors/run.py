from conform import *

lam = client("lambda")
source = """
def handler(event, context):
    return {"statusCode": 200, "headers": {"Access-Control-Allow-Origin": "*", "x-b": "1"}, "body": "called"}
"""
create(lam, "cors", python(source))
url = lam.create_function_url_config(FunctionName="cors", AuthType="NONE", Cors={
    "AllowOrigins": ["https://a.example"], "AllowMethods": ["GET"], "AllowHeaders": ["x-a"], "ExposeHeaders": ["x-b"],
    "MaxAge": 60, "AllowCredentials": True})["FunctionUrl"]
ask = {"Origin": "https://a.example", "Access-Control-Request-Method": "GET"}
flight = url_call(url, "OPTIONS", headers=ask)
same((flight.status, flight.body), (200, b""))
wanted = {"access-control-allow-origin": "https://a.example", "access-control-allow-methods": "GET", "access-control-allow-headers": "x-a",
          "access-control-max-age": "60", "access-control-allow-credentials": "true"}
same({k: flight.headers[k] for k in wanted}, wanted)
for wrong in ({**ask, "Origin": "https://evil.example"}, {**ask, "Access-Control-Request-Method": "DELETE"}):
    same(url_call(url, "OPTIONS", headers=wrong).headers["access-control-allow-origin"], None, str(wrong))
real = url_call(url, headers={"Origin": "https://a.example"})
same((real.body, real.headers.get_all("access-control-allow-origin"), real.headers["access-control-expose-headers"]),
     (b"called", ["https://a.example"], "x-b"))
evil = url_call(url, headers={"Origin": "https://evil.example"})
same(evil.headers["access-control-allow-origin"], None, "the settings replace what the function says")
lam.update_function_url_config(FunctionName="cors", Cors={"AllowOrigins": ["*"]})
open_ = url_call(url, headers={"Origin": "https://evil.example"})
same((open_.headers["access-control-allow-origin"], open_.headers["access-control-allow-credentials"]), ("*", None))
