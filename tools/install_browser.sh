#!/bin/sh
# Install Chromium for the browser tests, where it is missing. Debian and its kin only.
set -eu

if command -v chromium >/dev/null 2>&1; then
    exit 0
fi

give_up() {
    echo "The browser tests need Chromium as \`chromium\` on the path, and $1." >&2
    echo "Install it (on Debian, as root: apt-get install chromium) and run this again." >&2
    exit 1
}

command -v apt-get >/dev/null 2>&1 || give_up "there is no apt-get here to install it with"
if [ "$(id -u)" -eq 0 ]; then
    sudo=
elif command -v sudo >/dev/null 2>&1; then
    sudo=sudo
else
    give_up "you are neither root nor is there a sudo"
fi

echo "Installing Chromium for the browser tests"
$sudo apt-get update -qq || give_up "apt-get update failed"
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    chromium fonts-dejavu-core >/dev/null || give_up "apt-get install failed"
