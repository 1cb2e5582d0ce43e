set -eu
. "$CASE_LIB/conform.sh"
cd "$CASE_TMP"
mkdir app
cat > app/main.py <<'EOF'
import os
def handler(event, context):
    print("seen", event)
    if event.get("fail"):
        raise ValueError("boom")
    return {"got": event, "who": os.environ.get("WHO")}
EOF
cat > app/anyfn.toml <<'EOF'
name = "from-folder"
runtime = "python3.12"
handler = "main.handler"
memory = 192
timeout = 7

[env]
WHO = "folder"
EOF
"$ANYFN" deploy app > out
grep -q '^deployed from-folder (python3.12, active)$' out
want "$("$ANYFN" invoke from-folder -d '{"a": 1}')" '{"got": {"a": 1}, "who": "folder"}'
printf '{"b": 2}' > event.json
want "$("$ANYFN" invoke from-folder -f event.json)" '{"got": {"b": 2}, "who": "folder"}'
want "$(printf '{"c": 3}' | "$ANYFN" invoke from-folder -f -)" '{"got": {"c": 3}, "who": "folder"}'
fails 3 "$ANYFN" invoke from-folder -d '{"fail": 1}' > out
grep -q '"errorType": "ValueError"' out
"$ANYFN" invoke from-folder --log -d '{}' > out 2> log
grep -q 'REPORT RequestId' log && grep -q '^seen' log
"$ANYFN" invoke from-folder --async -d '{}' | grep -Eq '^accepted [0-9a-f-]{36}$'
"$ANYFN" --json invoke from-folder -d '{"j": 1}' > out.json
python3 - <<'EOF'
import json
d = json.load(open("out.json"))
assert d["outcome"] == "returned" and d["payload"] == {"got": {"j": 1}, "who": "folder"} and d["version"] == "$LATEST", d
assert d["billing"]["memory_mib"] == 192 and "seen" in d["log"] and len(d["invocation"]) == 36, d
EOF
"$ANYFN" deploy app --name other --memory 256 --timeout 3 --env WHO=flag --url > out
grep -q '^http.*/_url/' out
want "$("$ANYFN" invoke other -d '{}')" '{"got": {}, "who": "flag"}'
"$ANYFN" ls > out
head -1 out | grep -q '^NAME  *RUNTIME  *STATE'
grep -q '^from-folder .*active  *192 MiB' out && grep -q '^other .*256 MiB.*http' out
"$ANYFN" --json ls | python3 -c 'import json, sys; assert [f["name"] for f in json.load(sys.stdin)] == ["from-folder", "other"]'
"$ANYFN" describe from-folder | grep -q '^timeout .*7.0 s'
"$ANYFN" --json describe from-folder | python3 -c 'import json, sys; d = json.load(sys.stdin); assert d["env"] == ["WHO"] and d["timeout_ms"] == 7000, d'
"$ANYFN" rm from-folder other
fails 1 "$ANYFN" describe from-folder 2> err
grep -q 'function_not_found' err
fails 1 "$ANYFN" --json rm from-folder 2> err
python3 -c 'import json; assert "function_not_found" in json.load(open("err"))["error"]'
"$ANYFN" ls 2>&1 | grep -q 'no functions yet'
fails 2 "$ANYFN" deploy /nowhere/at/all 2> err
grep -q 'does not exist' err
fails 2 "$ANYFN" frobnicate 2> err
fails 1 "$ANYFN" ls --server http://127.0.0.1:9 2> err
grep -q 'no anyfn server answers at http://127.0.0.1:9' err
