#!/usr/bin/env bash
# What granary's admission does, step by step: the real webhook on loopback, asked over HTTPS as an
# API server asks it. Every command is shown before it runs, so that it can be repeated by hand;
# files are left in build/demo. Fails when anything is not as expected. Run it by `make demo`.
set -Eeuo pipefail
cd "$(dirname "$0")/.."

# A shell may forget an interruption that comes while it runs a program, never one that comes while
# it waits: so one waits, and tells the one that works.
if [ -z "${DEMO_WORKS:-}" ]; then
    DEMO_WORKS=1 "$BASH" examples/demo.sh &
    worker=$!
    trap 'kill -TERM "$worker" 2>/dev/null || true' INT TERM
    while kill -0 "$worker" 2>/dev/null; do wait "$worker" || true; done
    wait "$worker"
    exit
fi

build=${BUILD:-build}
demo=${DEMO_DIR:-$build/demo}
webhook=

await_webhook() {
    local status=0
    wait "$webhook" || status=$?
    webhook=
    return "$status"
}

# An interruption may come before $webhook is known; the shell knows its jobs from the start.
stop_webhook() {
    webhook=${webhook:-$(jobs -p)}
    [ -n "$webhook" ] || return 0
    kill -TERM "$webhook" 2>/dev/null || true
    await_webhook
}

trap 'stop_webhook || true' EXIT
interrupted() {
    printf '\nInterrupted; the webhook is stopped.\n'
    exit 130
}
trap interrupted TERM

bold='' dim='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
    bold=$'\e[1m' dim=$'\e[36m' plain=$'\e[0m'
fi

number=0
step() {
    number=$((number + 1))
    printf '\n%s== %d. %s%s\n' "$bold" "$number" "$*" "$plain"
}

say() { printf '%s\n' "$*"; }

# Shows a command and runs it.
run() {
    printf '\n%s$ %s%s\n' "$dim" "$1" "$plain"
    eval "$1"
}

fail() {
    # The webhook may have had the interruption before us.
    ! grep -qs 'signal=SIGINT' "$demo/webhook.log" || interrupted
    exec >&2
    printf '\nThis demo went wrong: %s\n' "$*"
    [ ! -s "$demo/webhook.log" ] || { echo "The last lines of the webhook's log:" && tail -n 20 "$demo/webhook.log"; }
    exit 1
}
trap 'fail "line $LINENO: $BASH_COMMAND"' ERR

expect() { grep -qF -e "$2" "$1" || fail "$1 does not say \"$2\""; }

# Waits until a command succeeds, 5 seconds at most.
wait_for() {
    local what=$1 i
    shift
    for ((i = 0; i < 100; i++)); do
        "$@" && return
        kill -0 "$webhook" 2>/dev/null || fail "the webhook has ended"
        sleep 0.05
    done
    fail "$what did not happen within 5 seconds"
}

ask() { # FILE with a review, PATH, FILE for the answer
    run "curl --silent --show-error --fail --cacert $demo/ca.crt \\
       --header 'Content-Type: application/json' --data-binary @$1 \\
       https://localhost:$port$2 > $3"
}

say "This asks granary's admission webhook what it makes of a Deployment, on loopback, in a few seconds."
rm -rf "$demo"
mkdir -p "$demo"

step "A cluster: a folder of manifests that the webhook reads and follows"
run "cp -r examples/cluster $demo/cluster && ls $demo/cluster"
say
say "An administrator wrote this blueprint, once for everybody:"
run "cat $demo/cluster/workloads.yaml"

step "A throw-away CA, and a certificate for the webhook"
run "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 \\
       -subj /CN=demo-ca -keyout $demo/ca.key -out $demo/ca.crt 2>$demo/openssl.log"
run "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 \\
       -subj /CN=localhost -addext subjectAltName=DNS:localhost -addext basicConstraints=CA:FALSE \\
       -CA $demo/ca.crt -CAkey $demo/ca.key -keyout $demo/tls.key -out $demo/tls.crt 2>$demo/openssl.log"

step "The webhook starts"
run "$build/granary-webhook --catalog $demo/cluster --tls-cert $demo/tls.crt --tls-key $demo/tls.key \\
       --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --drain-delay 0s 2>$demo/webhook.log &
     webhook=\$!"
wait_for "listening" grep -q 'listening.*for=admission' "$demo/webhook.log"
port=$(sed -nE 's/.*listening.*address=[^ ]*:([0-9]+).*for=admission.*/\1/p' "$demo/webhook.log")
grep listening "$demo/webhook.log"

step "An owner writes a Deployment, with one annotation"
run "cat examples/apps/deployment.yaml"

step "kubectl apply: the API server asks the webhook"
run "$build/kubectl-granary render -f examples/apps/deployment.yaml -o review > $demo/review.json"
ask "$demo/review.json" /mutate "$demo/answer.json"
say
say "The owner is told what will happen, as warnings under the answer of kubectl:"
run "jq -r '.response.warnings[] | \"Warning: \" + .' $demo/answer.json"
expect "$demo/answer.json" '"allowed":true'
expect "$demo/answer.json" 'Repository demo/deploy-stash-demo'

step "The answer's patch, decoded"
run "jq -r .response.patch $demo/answer.json | base64 -d | jq -c '.[]' | tee $demo/patch.jsonl"
expect "$demo/patch.jsonl" '"name":"stash"'

step "The Deployment as the API server stores it, and what follows from the blueprint"
say "render applies the recorded answer; it would fail if the webhook had decided otherwise than it"
say "does itself. A JSON patch can change one object only: the Repository and the BackupConfiguration"
say "follow from the same decision."
run "$build/kubectl-granary render -f examples/apps/deployment.yaml --catalog $demo/cluster \\
       --answer $demo/answer.json -o diff 2>$demo/warnings.txt"
$build/kubectl-granary render -f examples/apps/deployment.yaml --catalog "$demo/cluster" \
    --answer "$demo/answer.json" -o json >"$demo/objects.json" 2>"$demo/warnings.txt"
expect "$demo/objects.json" '"kind": "Repository"'
expect "$demo/objects.json" '"kind": "BackupConfiguration"'

step "The audit log names both, and the hash of the plan"
run "jq .response.auditAnnotations $demo/answer.json"
hash=$(jq -r '.response.auditAnnotations["plan-sha256"]' "$demo/answer.json")
[ "$(jq -r 'select(.kind != "Deployment").metadata.annotations["granary.dev/plan-sha256"]' "$demo/objects.json" |
    sort -u)" = "$hash" ] || fail "the objects do not carry the hash $hash"

step "Somebody writes a BackupConfiguration that can not work"
cat >"$demo/refused.yaml" <<'END'
apiVersion: stash.appscode.com/v1beta1
kind: BackupConfiguration
metadata:
  name: hopeless
  namespace: demo
spec:
  repository: {}
  shedule: "0 3 * * *"
  schedule: "61 3 * * *"
  target:
    ref:
      apiVersion: apps/v1
      kind: Deployment
      name: stash-demo
    paths: [source/data]
  retentionPolicy:
    name: some
    keepLast: -1
    prune: true
END
run "cat $demo/refused.yaml"
run "$build/kubectl-granary render -f $demo/refused.yaml -o review > $demo/refused.json"
ask "$demo/refused.json" /validate "$demo/refusal.json"
say
say "It is refused, with everything that is wrong at once:"
run "jq -r '.response.status.message' $demo/refusal.json"
expect "$demo/refusal.json" '"allowed":false'
expect "$demo/refusal.json" 'spec.schedule'
expect "$demo/refusal.json" 'spec.repository.name'
say
say "The same without a cluster, with the line of each finding:"
run "$build/kubectl-granary validate -f $demo/refused.yaml || echo \"exit code \$?\""

step "The administrator edits the blueprint; the running webhook follows"
run "sed -i 's|\"\\*/5 \\* \\* \\* \\*\"|\"0 4 * * *\"|' $demo/cluster/workloads.yaml"
new_schedule() {
    curl --silent --fail --cacert "$demo/ca.crt" --header 'Content-Type: application/json' \
        --data-binary "@$demo/review.json" "https://localhost:$port/mutate" >"$demo/edited.json"
    grep -qF '0 4 * * *' "$demo/edited.json"
}
wait_for "the new schedule" new_schedule
run "jq -r '.response.warnings[0]' $demo/edited.json"

step "The webhook ends; no request is lost"
run "kill -TERM \$webhook"
await_webhook || fail "the webhook ended with exit code $?"
say "exit code 0. What was written is in $demo; nothing runs any more."
