#!/bin/sh
# Plants each bug of this folder into a copy of the tree and sees whether the kill test finds it, on SQLite and on
# PostgreSQL. Ends 0 only if every bug is found on both, by one of the rules that its patch names after `Breaks:`, and if the
# tree without a bug passes on both.
#
#   ESERVICES_TEST_DATABASE=postgres://user@host:port/postgres server/tests/planted/run.sh [patch name…]
#
# ESERVICES_KILLS: kills of the server, and of workers, a run (10 unless set). CARGO_TARGET_DIR: where to build
# (/tmp/eservices-planted unless set).
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
case "${ESERVICES_TEST_DATABASE:-}" in
postgres*) ;;
*) echo "ESERVICES_TEST_DATABASE: expected postgres://user@host:port/postgres" >&2; exit 2 ;;
esac
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-/tmp/eservices-planted}"
export ESERVICES_KILLS="${ESERVICES_KILLS:-10}" RUST_BACKTRACE=0

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT INT TERM
# -m: everything is new, so that nothing of an earlier copy in the same target folder counts as built.
(cd "$root" && tar cf - --exclude=./target --exclude=./.git --exclude=./var .) | tar xmf - -C "$copy"
cd "$copy"

# How a run ended: `clean`, `broken <rules>` (the checker spoke), or `failed` (anything else: no finding).
outcome() {
    if cargo test -q -p eservices-server --test kill -- --exact --nocapture \
        "every_acknowledged_write_survives_kills_on_$1" >"$copy/run.log" 2>&1; then
        grep -q 'operations, attempts' "$copy/run.log" && echo clean || echo failed
    elif grep -q '^BROKEN in all' "$copy/run.log"; then
        echo "broken $(sed -n 's/^BROKEN in all: //p' "$copy/run.log")"
    else
        echo failed
    fi
}

# The rules that a patch says are broken by its bug, one of which must have been: `Places|Leases`.
breaks() {
    sed -n '/^diff/q; s/^Breaks: *//p' "$1" | tr -s ' ' '|'
}

missed=0
report() { # bug, engine, wanted outcome as a pattern of grep -E, outcome, its word
    if echo "$4" | grep -qE "^$3"; then
        echo "$1 on $2: $5 ($4)"
    else
        missed=1
        echo "$1 on $2: NOT $5 ($4)"
        tail -n 30 "$copy/run.log"
    fi
}

for engine in sqlite postgres; do
    report "no bug" "$engine" 'clean$' "$(outcome "$engine")" clean
done
if [ $# -eq 0 ]; then
    set -- "$here"/*.patch
else
    names=$*
    set --
    for name in $names; do set -- "$@" "$here/$name.patch"; done
fi
for patch in "$@"; do
    rules=$(breaks "$patch")
    [ -n "$rules" ] || { echo "$patch: names no rule after \`Breaks:\`" >&2; exit 2; }
    git apply "$patch"
    for engine in sqlite postgres; do
        report "$(basename "$patch" .patch)" "$engine" "broken .*\b($rules): " "$(outcome "$engine")" found
    done
    git apply -R "$patch"
done
exit $missed
