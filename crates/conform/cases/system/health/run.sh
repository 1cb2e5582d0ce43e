set -eu
want() { [ "$1" = "$2" ] || { echo "want \`$2\`, got \`$1\`"; exit 1; }; }
want "$(curl -s -w '%{http_code}' "$ANYFN_SERVER/healthz")" "ok
200"
want "$(curl -s -w '%{http_code}' "$ANYFN_SERVER/readyz")" "ready
200"
metrics=$(curl -si "$ANYFN_SERVER/metrics")
want "$(printf %s "$metrics" | head -1 | tr -d '\r')" "HTTP/1.1 200 OK"
printf %s "$metrics" | grep -qi '^content-type: text/plain; version=0.0.4'
printf %s "$metrics" | grep -q '^# TYPE anyfn_'
