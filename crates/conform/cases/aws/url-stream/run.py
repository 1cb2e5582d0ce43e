from conform import *

lam = client("lambda")
source = """
export const handler = awslambda.streamifyResponse(async (event, stream, context) => {
  const meta = { statusCode: 206, headers: { "content-type": "text/event-stream", "x-one": "1" }, cookies: ["a=1"] };
  if (event.rawPath !== "/plain") stream = awslambda.HttpResponseStream.from(stream, meta);
  stream.write("first\\n");
  // The second piece is written only when the caller has shown that it holds the first.
  if (event.rawPath === "/wait") await new Promise((done) => setTimeout(done, 1500));
  stream.write("second\\n");
  stream.end();
  await stream.finished();
});
"""
create(lam, "streams", node(source), runtime="nodejs22.x")
url = lam.create_function_url_config(FunctionName="streams", AuthType="NONE", InvokeMode="RESPONSE_STREAM")["FunctionUrl"]
response = url_call(url, path="/wait", raw=True)
same((response.status, response.headers["content-type"], response.headers["x-one"], response.headers["set-cookie"]),
     (206, "text/event-stream", "1", "a=1"))
same(response.headers["content-length"], None, "an answer of unknown length")
begun = time.monotonic()
same(response.readline(), b"first\n")
first = time.monotonic() - begun
same(response.read(), b"second\n")
# A ratio, not a clock: the second piece took longer than the first was held back.
same(time.monotonic() - begun > 4 * first, True, "the first piece came before the second was written")
plain = url_call(url, path="/plain")
same((plain.status, plain.headers["content-type"], plain.body), (200, "application/octet-stream", b"first\nsecond\n"))
