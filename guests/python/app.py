"""A component of the world `wasi:http/proxy` in Python."""

from componentize_py_types import Ok
from wit_world import exports
from wit_world.imports.types import Fields, OutgoingBody, OutgoingResponse, ResponseOutparam

calls = 0


class IncomingHandler(exports.IncomingHandler):
    def handle(self, request, response_out):
        global calls
        calls += 1
        response = OutgoingResponse(Fields.from_list([("content-type", b"text/plain")]))
        body = response.body()
        ResponseOutparam.set(response_out, Ok(response))
        with body.write() as stream:
            stream.blocking_write_and_flush(f"Hello from Python, call {calls}".encode())
        OutgoingBody.finish(body, None)
