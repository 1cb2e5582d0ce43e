set -eu
. "$CASE_LIB/conform.sh"
cd "$CASE_TMP"
printf 'def handler(event, context):\n    return "from python"\n' > hello.py
printf 'export const handler = async () => "from node";\n' > hi.mjs
cat > tool <<'EOF'
#!/bin/bash
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
while curl -sS -D /tmp/heads -o /tmp/event "$api/next"; do
  id=$(sed -n 's/^lambda-runtime-aws-request-id: *\([^[:space:]]*\).*/\1/Ip' /tmp/heads)
  curl -sS -o /dev/null -d '"from a program"' "$api/$id/response"
done
EOF
chmod +x tool
"$ANYFN" deploy hello.py | grep -q '^deployed hello (python'
"$ANYFN" deploy hi.mjs | grep -q '^deployed hi (nodejs'
"$ANYFN" deploy tool | grep -q '^deployed tool (provided'
want "$("$ANYFN" invoke hello)" '"from python"'
want "$("$ANYFN" invoke hi)" '"from node"'
want "$("$ANYFN" invoke tool)" '"from a program"'
printf 'text' > readme.txt
fails 1 "$ANYFN" deploy readme.txt 2> err
test -s err
