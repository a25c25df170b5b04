#!/bin/sh
# Turns the environment into nginx's configuration, checks it, and becomes nginx. What may be set is in README.md.
set -euf
umask 077

fail() {
    printf 'start.sh: %s\n' "$*" >&2
    exit 1
}

here=$(cd "$(dirname "$0")" && pwd)
run=${RUN_DIR:-/run/edge-pop}
kept=${CACHE_DIR:-/var/cache/edge-pop}
as=${RUN_AS:-www-data}
ttl=${CACHE_TTL_S:-3600}
epoch=${CACHE_EPOCH:-1}
renew=${RESOLVE_EVERY_S:-600}
authorities=${CA_FILE:-/etc/ssl/certs/ca-certificates.crt}
mkdir -p "$run" "$kept"
chmod 755 "$run"

# plain NAME VALUE: the value goes into nginx's configuration, so it may have nothing in it that means something there
plain() {
    case $2 in
    *[!A-Za-z0-9._-]*) fail "$1 may have only letters, digits, '.', '_' and '-' in it" ;;
    esac
}

number() {
    case $2 in
    '' | *[!0-9]*) fail "$1 must be a number of seconds, not '$2'" ;;
    esac
}

plain CACHE_EPOCH "$epoch"
number CACHE_TTL_S "$ttl"
number RESOLVE_EVERY_S "$renew"
[ "$ttl" -le 86400 ] || fail "CACHE_TTL_S is at most 86400 (a day), not $ttl"
plain OPENAI_API_KEY "${OPENAI_API_KEY:-}"
plain ANTHROPIC_API_KEY "${ANTHROPIC_API_KEY:-}"
[ -n "${OPENAI_API_KEY:-}${ANTHROPIC_API_KEY:-}" ] ||
    fail "no provider's key: run fly secrets set OPENAI_API_KEY=... (or ANTHROPIC_API_KEY, or both)"

# -- who may ask: EDGE_TOKENS is "name=token name=token ..."

bearers='' keys=''
for pair in $(printf '%s' "${EDGE_TOKENS:-}" | tr ',' ' '); do
    name=${pair%%=*} token=${pair#*=}
    [ -n "$name" ] && [ "$name" != "$pair" ] && [ -n "$token" ] || fail "EDGE_TOKENS must be name=token pairs"
    plain "a name in EDGE_TOKENS" "$name"
    plain "the token of $name in EDGE_TOKENS" "$token"
    escaped=$(printf '%s' "$token" | sed 's/\./\\./g')
    # Only a regular expression minds upper and lower case here.
    bearers="$bearers    \"~^(?i:bearer) +$escaped\$\" \"$name\";
"
    keys="$keys    \"~^$escaped\$\" \"$name\";
"
done
[ -n "$bearers" ] || fail "EDGE_TOKENS is not set: run fly secrets set EDGE_TOKENS=name=token (openssl rand -hex 32 makes a token)"

# -- where the providers are

# origin NAME URL: sets scheme, host, port, and name (the host for TLS)
origin() {
    case $2 in
    https://*) scheme=https port=443 ;;
    http://*) scheme=http port=80 ;;
    *) fail "$1 must begin with https:// or http://, not '$2'" ;;
    esac
    host=${2#*://}
    host=${host%/}
    case $host in
    '' | *[!A-Za-z0-9.:-]*) fail "$1 must be a scheme and a host, as in https://api.openai.com, not '$2'" ;;
    *:*) port=${host##*:} ;;
    esac
    name=${host%%:*}
}

cd "$run"
{
    printf 'map $http_x_api_key $key_caller {\n    default "";\n%s}\n' "$keys"
    printf 'map $http_authorization $caller {\n    default "";\n    "" $key_caller;\n%s}\n' "$bearers"
    printf 'map "" $epoch { default "%s"; }\n' "$epoch"
    printf 'map "" $region { default "%s"; }\n' "${FLY_REGION:-}"
    if [ "$ttl" -gt 0 ]; then zone=answers; else zone=off; fi
    printf 'map "" $answers { default "%s"; }\n' "$zone"
    printf 'proxy_cache_path %s levels=1:2 keys_zone=answers:16m max_size=%s inactive=%ss use_temp_path=off;\n' \
        "$kept" "${CACHE_SIZE:-1g}" "$((ttl > 0 ? ttl : 1))"
    printf 'proxy_ssl_trusted_certificate %s;\n' "$authorities"
    origin OPENAI_ORIGIN "${OPENAI_ORIGIN:-https://api.openai.com}"
    printf 'upstream openai { server %s:%s max_fails=0; keepalive 64; keepalive_timeout 50s; }\n' "$name" "$port"
    o_scheme=$scheme o_host=$host o_name=$name
    origin ANTHROPIC_ORIGIN "${ANTHROPIC_ORIGIN:-https://api.anthropic.com}"
    printf 'upstream anthropic { server %s:%s max_fails=0; keepalive 64; keepalive_timeout 50s; }\n' "$name" "$port"
    printf 'map $api $provider { openai "%s://openai"; default "%s://anthropic"; }\n' "$o_scheme" "$scheme"
    printf 'map $api $provider_host { openai "%s"; default "%s"; }\n' "$o_host" "$host"
    printf 'map $api $provider_name { openai "%s"; default "%s"; }\n' "$o_name" "$name"
    printf 'map $api $provider_secret { openai "%s"; default "%s"; }\n' "${OPENAI_API_KEY:-}" "${ANTHROPIC_API_KEY:-}"
    # Anthropic takes its key in either header: it goes where the SDK has put the token.
    printf 'map "$api $http_authorization" $provider_authorization { "~^openai " "Bearer %s"; "~^anthropic ." "Bearer %s"; default ""; }\n' \
        "${OPENAI_API_KEY:-}" "${ANTHROPIC_API_KEY:-}"
    printf 'map "$api $http_authorization" $provider_key { "~^anthropic $" "%s"; default ""; }\n' "${ANTHROPIC_API_KEY:-}"
} >given.conf
printf 'listen %s;\n' "${LISTEN:-8080}" >listen.conf
printf 'proxy_cache_valid 200 %ss;\n' "$((ttl > 0 ? ttl : 1))" >valid.conf
if [ "$(id -u)" = 0 ]; then printf 'user %s;\n' "$as"; fi >user.conf
if [ "$(id -u)" = 0 ]; then chown "$as" "$kept"; fi
sed "s#unix:inner.sock#unix:$run/inner.sock#" "$here/nginx.conf" >nginx.conf
rm -f inner.sock # one that a killed nginx left

nginx -q -t -e stderr -p "$run" -c "$run/nginx.conf"

# nginx asks for the providers' addresses only when it reads its configuration.
if [ "$renew" -gt 0 ]; then
    pid=$$
    (while sleep "$renew" && kill -HUP "$pid" 2>/dev/null; do :; done) &
fi
exec nginx -e stderr -p "$run" -c "$run/nginx.conf"
