#!/usr/bin/env bash
# Installs Debian packages, where this may. Checks that run beside each other wait for one another here.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
exec 9<"$0"
flock 9
# The machines of GitHub run checks as another user.
sudo=
[ "$(id -u)" = 0 ] || sudo='sudo -E'
$sudo apt-get update -qq
$sudo apt-get install -y -qq --no-install-recommends "$@" >/dev/null
