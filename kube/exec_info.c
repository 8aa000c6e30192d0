#include "kube/exec_info.h"

#include <gnutls/gnutls.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "kube/exec.h"
#include "kube/time.h"

bool exec_variable_is_set(char *const *variables, size_t count, const char *variable)
{
    size_t length = strcspn(variable, "=");

    for (size_t i = 0; i < count; i++)
        if (strncmp(variables[i], variable, length) == 0 && variables[i][length] == '=')
            return true;
    return false;
}

static void put_base64(json_t *object, const char *key, const struct kube_pem *pem)
{
    gnutls_datum_t in = {(unsigned char *)pem->data, (unsigned)pem->length}, out;

    if (!pem->data)
        return;
    if (gnutls_base64_encode2(&in, &out) < 0)
        abort();
    tree_put_span(object, key, (struct span){(char *)out.data, out.size});
    gnutls_free(out.data);
}

static json_t *cluster(const struct kube_config *config)
{
    json_t *cluster = json_object();

    tree_put_text(cluster, "server", config->server);
    tree_put_text(cluster, "tls-server-name", config->server_name);
    if (config->insecure)
        tree_put_bool(cluster, "insecure-skip-tls-verify", true);
    put_base64(cluster, "certificate-authority-data", &config->ca);
    tree_put_text(cluster, "proxy-url", config->proxy);
    tree_put_new(cluster, "config", tree_copy(config->exec.extension));
    return cluster;
}

char *exec_info(const struct kube_config *config, bool interactive)
{
    AUTO(json) json_t *info = json_object();
    json_t *spec = json_object();

    tree_put_text(info, "apiVersion", config->exec.version);
    tree_put_text(info, "kind", "ExecCredential");
    tree_put_bool(spec, "interactive", interactive);
    if (config->exec.cluster_info)
        tree_put_new(spec, "cluster", cluster(config));
    tree_put_new(info, "spec", spec);
    return tree_format(info, NULL);
}

static char *copy(const json_t *status, const char *key)
{
    struct span value = tree_span(status, key);

    return value.length ? text_dup(value.data, value.length) : NULL;
}

static bool check_status(const json_t *status, int64_t *expires_s, struct error *err)
{
    struct span token = tree_span(status, "token"), expires;
    bool cert = tree_span(status, "clientCertificateData").length > 0,
         key = tree_span(status, "clientKeyData").length > 0;

    if (!status)
        return error_set(err, ERROR_INVALID, "what it printed has no status");
    if (cert != key)
        return error_set(err, ERROR_INVALID,
                         "clientCertificateData and clientKeyData must come together");
    if (!token.length && !cert)
        return error_set(err, ERROR_INVALID, "it printed neither a token nor a certificate");
    if (memchr(token.length ? token.data : "", '\0', token.length))
        return error_set(err, ERROR_INVALID, "the token holds NUL");
    expires = tree_span(status, "expirationTimestamp");
    *expires_s = INT64_MAX;
    if (expires.data && !time_parse(expires, expires_s))
        return error_set(err, ERROR_INVALID, "expirationTimestamp is not a time");
    return true;
}

bool exec_credential_parse(struct span text, const char *version, struct exec_credential *out,
                           struct error *err)
{
    AUTO(json) json_t *tree = json_loadb(text.data, text.length, JSON_ALLOW_NUL, NULL);
    const char *kind = tree_text(tree, "kind"), *found = tree_text(tree, "apiVersion");
    const json_t *status = tree_member(tree, "status", JSON_OBJECT);
    int64_t expires_s = 0;

    if (!kind || strcmp(kind, "ExecCredential") != 0)
        return error_set(err, ERROR_INVALID, "what it printed is no ExecCredential");
    if (!found || strcmp(found, version) != 0)
        return error_set(err, ERROR_INVALID, "it printed another apiVersion than %s", version);
    if (!check_status(status, &expires_s, err))
        return false;
    exec_credential_done(out);
    out->token = copy(status, "token");
    out->cert = copy(status, "clientCertificateData");
    out->key = copy(status, "clientKeyData");
    out->expires_s = expires_s;
    return true;
}
