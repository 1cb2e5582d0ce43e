from conform import *

if not os.path.isdir(f"{ROOT}/examples/native-rust"):
    skip("there is no examples/native-rust in this tree")
made = json.loads(cli("--json", "deploy", f"{ROOT}/examples/native-rust").stdout)
has(made, name="native-rust", state="active", runtime=...)
same(made["runtime"].startswith("provided"), True)
answer = json.loads(cli("--json", "invoke", "native-rust", "-d", '{"name": "Ada"}').stdout)
same(answer["payload"]["message"], "Hello, Ada!")
same(answer["payload"]["request"], answer["invocation"])
same("greeting Ada" in answer["log"], True)
same([json.loads(cli("invoke", "native-rust").stdout)["message"] for _ in range(3)], ["Hello, world!"] * 3)
same(os.path.exists(f"{ROOT}/examples/native-rust/target"), False, "the build leaves the folder alone")
