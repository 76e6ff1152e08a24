#!/bin/sh
# Gives the CA's agent a user of its own in an installation on one machine with SQLite: afterwards the server can't read the
# ca token and its PIN, nor the agent the service token, and neither of them the root's. Run as root, with both stopped.
#
#   separate-agent.sh DIR SERVER_USER AGENT_USER GROUP      docs/OPERATIONS.md, "The agent as a user of its own"
#
# The database is GROUP's; what both read (noonmark.toml, profiles) is root's. Both must run with umask 007.
set -eu
if [ $# -ne 4 ] || [ ! -f "$1/noonmark.toml" ]; then
    echo "usage: $0 DIR SERVER_USER AGENT_USER GROUP, DIR with a noonmark.toml" >&2
    exit 2
fi
dir=$1 server=$2 agent=$3 group=$4

# First closed, then opened where both must look: no secret is the group's for a moment. What tells either of them what to
# do is root's: who takes the server over must not choose the module that the agent loads, or its profiles.
chmod -R go-rwx "$dir"
chown -R "root:$group" "$dir"
mkdir -p "$dir/profiles" "$dir/cache"
for name in secrets tokens keys certificates profiles; do
    [ ! -d "$dir/$name" ] || { chown "root:$group" "$dir/$name" && chmod 0750 "$dir/$name"; }
done
for name in noonmark.toml softhsm2.conf certificates profiles; do
    [ ! -e "$dir/$name" ] || find "$dir/$name" -type f -exec chmod 0640 {} +
done
chmod 0750 "$dir"
# The database and the locks beside it are the one thing that both write. They get a folder of their own, so that the one above
# is nobody's to change.
if [ ! -d "$dir/db" ]; then
    if ! grep -q '^url = "sqlite:noonmark.db"' "$dir/noonmark.toml"; then
        echo "separate-agent.sh: [store] url in noonmark.toml is not \"sqlite:noonmark.db\"; move that database by hand" >&2
        exit 1
    fi
    mkdir "$dir/db"
    mv "$dir"/noonmark.db* "$dir/db/"
    sed -i 's|^url = "sqlite:noonmark.db"|url = "sqlite:db/noonmark.db"|' "$dir/noonmark.toml"
    rm -f "$dir"/*.lock
fi
chown -R "$server:$group" "$dir/db"
chmod 2770 "$dir/db"
# Copies that the server may make anew at any time.
chown -R "$server" "$dir/cache"
chmod 0700 "$dir/cache"
# SQLite gives the database's companions its mode; new files keep the group.
find "$dir/db" -type f -exec chmod 0660 {} +

# give ROLE USER: the PIN, and the token where it is SoftHSM's, are that user's alone.
give() {
    for file in "$dir/secrets/$1.pin" "$dir/secrets/$1.so-pin"; do
        [ ! -e "$file" ] || { chown "$2" "$file" && chmod 0600 "$file"; }
    done
    for object in "$dir"/tokens/*/token.object; do
        if [ -e "$object" ] && grep -qa "noonmark-$1" "$object"; then
            chown -R "$2" "$(dirname "$object")"
            chmod -R go-rwx "$(dirname "$object")"
        fi
    done
    # The tier software keeps a directory of encrypted files a role.
    [ ! -d "$dir/keys/$1" ] || { chown -R "$2" "$dir/keys/$1" && chmod -R go-rwx "$dir/keys/$1"; }
}
give root root
give ca "$agent"
give service "$server"
# What else is secret is the server's: its TLS key, the database's password.
for file in "$dir"/secrets/*; do
    case $file in
    */root.* | */ca.* | */service.*) ;;
    *) [ ! -f "$file" ] || chown "$server" "$file" ;;
    esac
done
if [ -e "$dir/secrets/database.password" ]; then
    echo "separate-agent.sh: secrets/database.password stays the server's alone: with PostgreSQL give the agent a" >&2
    echo "directory of its own by 'noonmark init --join', with [token.ca] and a role of its own in the database" >&2
fi
