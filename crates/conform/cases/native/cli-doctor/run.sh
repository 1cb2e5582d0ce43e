set -eu
. "$CASE_LIB/conform.sh"
"$ANYFN" doctor > "$CASE_TMP/out"
grep -q '^isolation$' "$CASE_TMP/out" && grep -q '^runtimes$' "$CASE_TMP/out"
"$ANYFN" --json doctor | python3 -c 'import json, sys; d = json.load(sys.stdin); assert {"complete", "isolation", "runtimes", "open_files"} <= set(d), d; assert any(r["runtime"].startswith("python") for r in d["runtimes"])'
for shell in bash zsh fish; do
  "$ANYFN" completions "$shell" > "$CASE_TMP/completions.$shell"
  grep -q deploy "$CASE_TMP/completions.$shell"
done
bash -n "$CASE_TMP/completions.bash"
"$ANYFN" --version | grep -Eq '^anyfn [0-9]+\.[0-9]+\.[0-9]+$'
for verb in up dev deploy invoke logs ls describe rm new doctor key completions; do
  "$ANYFN" --help | grep -q "^  $verb "
  "$ANYFN" "$verb" --help > /dev/null
done
"$ANYFN" up --list-limits --data "$CASE_TMP/d" | python3 -c 'import json, sys; d = json.load(sys.stdin); assert d["payload_bytes"] == 6291556 or d["payload_bytes"] == 6291456, d["payload_bytes"]'
fails 1 "$ANYFN" up --set nothing=1 --data "$CASE_TMP/d" 2> "$CASE_TMP/err"
grep -q 'there is no such limit' "$CASE_TMP/err"
