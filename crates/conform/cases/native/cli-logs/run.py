from conform import *

os.chdir(TMP)
with open("talk.py", "w") as file:
    file.write("def handler(e, c):\n    print('said', e)\n")
cli("deploy", "talk.py")
cli("invoke", "talk", "-d", '"first"')
until(lambda: "said first" in cli("logs", "talk").stdout, "the first line")
follow = subprocess.Popen([ANYFN, "logs", "-f", "talk"], stdout=subprocess.PIPE, text=True)
cli("invoke", "talk", "-d", '"second"')
seen = []
for line in follow.stdout:
    seen.append(line)
    if "said second" in line:
        break
follow.terminate(); follow.wait()
said = [line.split("said ")[1].strip() for line in seen if "said " in line]
same(said, ["first", "second"], "each line once, in order")
match(next(line for line in seen if "said first" in line), r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z said first\n")
only = cli("logs", "talk", "--filter", "second").stdout
same(("said second" in only, "said first" in only), (True, False))
same(len(cli("logs", "talk", "-n", "1").stdout.splitlines()), 1)
same(cli("logs", "talk", "--since", "1d").stdout.count("said"), 2)
cli("logs", "talk", "--since", "soon", code=2)
event = json.loads(cli("--json", "logs", "talk", "--filter", "first").stdout.splitlines()[0])
has(event, at=..., stream=..., text=...)
same("function_not_found" in cli("logs", "none", code=1).stderr, True)
