# What the shell cases share.

# want GOT WANTED
want() {
  [ "$1" = "$2" ] || { printf 'got  `%s`\nwant `%s`\n' "$1" "$2"; exit 1; }
}

# fails CODE COMMAND...: the command must end with that code.
fails() {
  code=$1; shift
  got=0; "$@" || got=$?
  [ "$got" = "$code" ] || { echo "exit $got, want $code: $*"; exit 1; }
}
