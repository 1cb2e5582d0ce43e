set -eu
cd "$CASE_TMP"
# An address that is not loopback, in a network of our own.
exec unshare --net bash -c 'ip link set lo up && ip addr add 198.51.100.1/32 dev lo && exec "$0" "$1"' \
  "$ANYFN_PARTS/boto3/bin/python" "$OLDPWD/inside.py"
