#!/bin/sh
# Julia 1.5.3 from Debian bullseye, unpacked (nothing is installed) into $1, and `julia.jl` run in it.
# Needs apt and a Debian mirror in the machine's sources. usage: julia.sh DIR [-O1]
set -e
here=$(dirname "$(realpath "$0")")
dir=$(realpath -m "${1:?usage: julia.sh DIR [-O1]}")
shift
if [ ! -x "$dir/root/usr/bin/julia" ]; then
    mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial" "$dir/debs" "$dir/root"
    mirror=$(sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/debian.sources | head -1)
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bullseye main" > "$dir/sources.list"
    : > "$dir/status"
    apt="apt-get -q -o Dir::Etc::sourcelist=$dir/sources.list -o Dir::Etc::sourceparts=- \
        -o Dir::State::lists=$dir/lists -o Dir::Cache=$dir/cache -o Dir::State::status=$dir/status \
        -o APT::Sandbox::User=root"
    $apt update
    # What the host has in a newer version already stays the host's.
    wanted=$($apt -s install --no-install-recommends julia | awk '/^Inst/{print $2}' |
        grep -vxE 'dpkg|tar|debconf|perl-base|libc6|libcrypt1|gcc-10-base|libstdc.*|libgcc-s1')
    (cd "$dir/debs" && $apt download $wanted)
    for deb in "$dir"/debs/*.deb; do dpkg -x "$deb" "$dir/root"; done
fi
lib="$dir/root/usr/lib/x86_64-linux-gnu"
export LD_LIBRARY_PATH="$lib:$lib/julia:$dir/root/lib/x86_64-linux-gnu"
export JULIA_DEPOT_PATH="$dir/depot"
exec "$dir/root/usr/bin/julia" --startup-file=no "$@" "$here/julia.jl"
