#!/usr/bin/env bash
# The second guide's automation script (auth methods, engines, policies), corrected where it would not work: an audience
# for the Kubernetes role, a root authority made once, list on metadata, the accessor in the template looked up. LDAP and
# AWS are left out, as OpenBao has neither. Otherwise it is as the guide has it: it asks before it mounts, and writes all
# the rest each time.
set -euo pipefail

: "${VAULT_ADDR:?}" "${VAULT_CACERT:?}" "${VAULT_TOKEN_FILE:?}"
POSTGRES_VAULT_PASSWORD="${POSTGRES_VAULT_PASSWORD:-password-of-postgresql}"
VAULT_CLI="${VAULT_CLI:-vault}"
WORK="$(mktemp -d)"
trap 'rm -rf "$WORK"' EXIT

vault() { "$VAULT_CLI" "$@"; }
# Not by a pipe into grep -q, which ends vault early, and with pipefail the script.
has() { grep -q -e "^$1" <<<"$2"; }
log() { echo "[$(date '+%Y-%m-%d %H:%M:%S')] [$1] $2" >&2; }

vault_init() {
  VAULT_TOKEN="$(cat "$VAULT_TOKEN_FILE")"
  export VAULT_TOKEN
  if ! vault token lookup >/dev/null 2>&1; then
    log ERROR "Failed to authenticate with Vault"
    exit 1
  fi
}

setup_auth_methods() {
  log INFO "Setting up Vault authentication methods"
  if ! has "kubernetes/" "$(vault auth list)"; then
    vault auth enable kubernetes
  fi
  vault write auth/kubernetes/config \
    kubernetes_host="https://kubernetes.example.com:6443" \
    kubernetes_ca_cert=@"$VAULT_CACERT" \
    disable_local_ca_jwt=true
  vault write auth/kubernetes/role/external-secrets-operator \
    bound_service_account_names="external-secrets-operator" \
    bound_service_account_namespaces="external-secrets-system" \
    audience="vault" \
    token_policies="external-secrets-policy" \
    token_ttl=1h
  if ! has "approle/" "$(vault auth list)"; then
    vault auth enable approle
  fi
  vault write auth/approle/role/cicd-pipeline \
    token_policies="cicd-policy" \
    token_ttl=1h \
    token_max_ttl=4h \
    bind_secret_id=true \
    secret_id_ttl=24h
}

setup_secret_engines() {
  log INFO "Setting up Vault secret engines"
  if ! has "secret/" "$(vault secrets list)"; then
    vault secrets enable -path=secret kv-v2
  fi
  vault secrets tune -max-lease-ttl=8760h secret/
  if ! has "database/" "$(vault secrets list)"; then
    vault secrets enable database
  fi
  vault write database/config/postgresql \
    plugin_name="postgresql-database-plugin" \
    connection_url="postgresql://{{username}}:{{password}}@postgres.example.com:5432/postgres?sslmode=require" \
    allowed_roles="readonly,readwrite" \
    username="vault" \
    password="$POSTGRES_VAULT_PASSWORD" \
    verify_connection=false
  vault write database/roles/readonly \
    db_name="postgresql" \
    creation_statements="CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO \"{{name}}\";" \
    default_ttl="1h" \
    max_ttl="24h"
  vault write database/roles/readwrite \
    db_name="postgresql" \
    creation_statements="CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO \"{{name}}\";" \
    default_ttl="1h" \
    max_ttl="24h"
  if ! has "pki/" "$(vault secrets list)"; then
    vault secrets enable pki
  fi
  vault secrets tune -max-lease-ttl=87600h pki/
  if ! has "-----BEGIN" "$(vault read -field=certificate pki/cert/ca 2>/dev/null || true)"; then
    vault write -field=certificate pki/root/generate/internal \
      common_name="Company Root CA" \
      country="US" \
      organization="Company Inc" \
      ou="IT Department" \
      issuer_name="root" \
      ttl=87600h >"$WORK/root_ca.crt"
  fi
  vault write pki/config/urls \
    issuing_certificates="$VAULT_ADDR/v1/pki/ca" \
    crl_distribution_points="$VAULT_ADDR/v1/pki/crl"
  vault write pki/roles/web-app-cert \
    allowed_domains="company.com" \
    allow_subdomains=true \
    max_ttl="720h" \
    generate_lease=true \
    require_cn=false \
    allow_ip_sans=true \
    allow_localhost=true \
    server_flag=true \
    client_flag=true
}

setup_policies() {
  log INFO "Setting up Vault policies"
  cat <<'EOF' | vault policy write external-secrets-policy -
path "secret/data/applications/*" {
  capabilities = ["read"]
}
path "secret/metadata/applications/*" {
  capabilities = ["read", "list"]
}
path "pki/issue/web-app-cert" {
  capabilities = ["create", "update"]
}
path "database/creds/readonly" {
  capabilities = ["read"]
}
path "database/creds/readwrite" {
  capabilities = ["read"]
}
EOF
  cat <<'EOF' | vault policy write cicd-policy -
path "secret/data/cicd/*" {
  capabilities = ["create", "read", "update", "delete"]
}
path "secret/metadata/cicd/*" {
  capabilities = ["read", "list", "delete"]
}
path "pki/issue/web-app-cert" {
  capabilities = ["create", "update"]
}
EOF
  local accessor
  accessor="$(vault auth list | awk '$1 == "kubernetes/" {print $3}')"
  cat <<EOF | vault policy write application-policy -
path "secret/data/applications/{{identity.entity.aliases.$accessor.metadata.service_account_name}}/*" {
  capabilities = ["read"]
}
path "database/creds/readwrite" {
  capabilities = ["read"]
}
path "pki/issue/web-app-cert" {
  capabilities = ["create", "update"]
}
EOF
  cat <<'EOF' | vault policy write admin-policy -
path "*" {
  capabilities = ["create", "read", "update", "delete", "list", "sudo"]
}
EOF
}

vault_init
setup_auth_methods
setup_secret_engines
setup_policies
log INFO "Done"
