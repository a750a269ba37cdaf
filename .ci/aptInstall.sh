#!/usr/bin/env bash
# Installs Debian packages, where this may. Checks that run beside each other wait for one another here.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
exec 9<"$0"
flock 9
apt-get update -qq
apt-get install -y -qq --no-install-recommends "$@" >/dev/null
