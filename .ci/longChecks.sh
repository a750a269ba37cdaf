# The checks that `.ci/run` leaves out unless a folder has changed that they depend on. `.ci/nightly` runs all.

# `long NAME FOLDERS COMMAND…` runs a check beside others, in `.ci/run` only if the committed content of the folders is not that of the last
# recorded run, of which `.ci/nightly.txt` has a hash. With RECORD=1, a check that passes is recorded there.
long() {
  local name=$1 folders=$2
  shift 2
  local hash
  hash=$(git ls-files -s -- $folders | sha256sum | cut -c 1-16)
  if [ -z "${NIGHTLY:-}" ] && grep -qxF "$hash $name" .ci/nightly.txt 2>/dev/null; then
    skip "$name" "nothing has changed in $folders since .ci/nightly ran it"
  else
    beside "$name" .ci/record.sh "$hash $name" "$@"
  fi
}

long_checks() {
  long 'mixed load beside a stock backend' \
    'src/gate src/store integration/processes/load' integration/processes/load/run
  long "restricted tokens with Backstage's own plugins of three releases" \
    'src/backstage/watchDelegations.ts src/backstage/httpAuthService.ts integration/packages/delegation' integration/packages/delegation/run
  join
  long 'each alert before a live Prometheus' \
    'ops src/operators/reports/GateMetrics.ts integration/processes/alerts' integration/processes/alerts/run
  join
  long 'api-gate init on the app of create-app' \
    'src/cli integration/packages/init' integration/packages/init/run
  long 'the recipes with the plugins that they name' \
    'docs/recipes integration/packages/recipes' integration/packages/recipes/run
  long 'api-gate scan of published plugins' \
    'src/cli/scan integration/packages/scan' integration/packages/scan/run
  join
  long "seams in a patched copy of Backstage's backend-defaults" \
    'docs/upstream.md src/backstage src/settings/expectations/commonPrefixes.ts integration/packages/upstream' integration/packages/upstream/run
  long 'the decision over all states of its table' \
    'src/gate src/__tests__/proof' .ci/proof/run
  join
  for engine in firefox webkit chromium; do
    long "requests, caches, Back and the sandbox in $engine" \
      'src/gate/carryOut/answer.ts src/gate/read/browsers.ts src/gate/cookie src/gate/sessions docs/sign-out.md integration/browsers/engines' \
      integration/browsers/engines/run $engine all
    join
  done
  long 'as a dynamic plugin of Red Hat Developer Hub' \
    'bin package.json .ci/prepack.js docs/recipes/rhdh.md src/backstage integration/packages/dynamic' .ci/withNode.sh 22 integration/packages/dynamic/run
  for run in '2026-08 22' '2026-09 24'; do
    read -r release node <<<"$run"
    long "what touches Backstage on $release, Node $node" \
      'src/backstage src/gate/verify .ci/releases' .ci/withNode.sh $node .ci/releases/run $release packed backstage
    join
  done
  join
  long "the pictures of the gate's page" \
    'src/operators/page integration/browsers/policyPage' integration/browsers/policyPage/picture --check
  join
}
