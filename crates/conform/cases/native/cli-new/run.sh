set -eu
. "$CASE_LIB/conform.sh"
cd "$CASE_TMP"
"$ANYFN" new | grep -q '^TEMPLATE'
"$ANYFN" --json new | python3 -c 'import json, sys; print("\n".join(t["name"] for t in json.load(sys.stdin)))' > templates
grep -qx hello-python templates
while read -r name; do
  "$ANYFN" new "$name"
  diff -r "$name" "$ANYFN_ROOT/examples/$name" --exclude README.md
  "$ANYFN" deploy "$name" > out
  grep -q "^deployed $name .*active)" out
  case "$name" in
    url-*) curl -fsS "$(grep '^http' out)api/hello?name=Ada" | grep -q Ada ;;
    *) "$ANYFN" invoke "$name" -d '{"name": "Ada"}' | grep -q 'Hello, Ada!' ;;
  esac
done < templates
fails 1 "$ANYFN" new hello-python 2> err
grep -q 'there already and not empty' err
"$ANYFN" new hello-python elsewhere
test -f elsewhere/lambda_function.py
fails 1 "$ANYFN" new nothing 2> err
grep -q 'there is no template `nothing`; there are: ' err
