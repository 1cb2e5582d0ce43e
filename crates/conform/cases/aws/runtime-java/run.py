from conform import *

lam = client("lambda")
create(lam, "java", zipped({"a/B.class": b"\xca\xfe\xba\xbe"}), runtime="java21", Handler="a.B::handle", Timeout=20, MemorySize=512)
answer, payload = invoke(lam, "java")
same((answer["FunctionError"], payload["errorType"]), ("Unhandled", "Runtime.InvalidEntrypoint"))
match(payload["errorMessage"], r"RequestId: .* Error: add aws-lambda-java-runtime-interface-client and aws-lambda-java-core to the package's lib/ folder or to a layer's java/lib/")
