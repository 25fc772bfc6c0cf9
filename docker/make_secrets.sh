#!/bin/sh
# Makes what compose.yaml keeps secret, each once: Ray's token, Grafana's password, the store's keys.
# The folder is closed to other users. Its files are not: the containers' users must read them.
set -eu
umask 022
folder="$(dirname "$0")/secrets"
mkdir -p "$folder"
chmod 700 "$folder"
random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
[ -s "$folder/ray_token" ] || random > "$folder/ray_token"
[ -s "$folder/grafana_password" ] || random > "$folder/grafana_password"
if [ ! -s "$folder/store.env" ]; then
    key="$(random)"
    printf 'AWS_ACCESS_KEY_ID=tune_mnist\nAWS_SECRET_ACCESS_KEY=%s\n' "$key" > "$folder/store.env"
    printf 'MINIO_ROOT_USER=tune_mnist\nMINIO_ROOT_PASSWORD=%s\n' "$key" > "$folder/minio.env"
fi
