#include "kube/config.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"

/* What both kinds of configuration share. */

static void free_strings(char **strings)
{
    for (char **s = strings; s && *s; s++)
        free(*s);
    free(strings);
}

static void free_secret(char *secret, size_t length)
{
    if (secret)
        explicit_bzero(secret, length);
    free(secret);
}

static void pem_done(struct kube_pem *pem)
{
    free(pem->file);
    free_secret(pem->data, pem->length);
}

void kube_config_done(struct kube_config *config)
{
    char *secrets[] = {config->token, config->password, config->proxy};

    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
        free_secret(secrets[i], secrets[i] ? strlen(secrets[i]) : 0);
    free(config->server);
    free(config->server_name);
    free(config->space);
    pem_done(&config->ca);
    pem_done(&config->certificate);
    pem_done(&config->key);
    free(config->token_file);
    free(config->user);
    free(config->exec.command);
    free_strings(config->exec.arguments);
    free_strings(config->exec.variables);
    free(config->exec.version);
    free(config->exec.hint);
    json_decref(config->exec.extension);
    *config = (struct kube_config){0};
}

static char *again(const char *text)
{
    return text ? text_dup(text, strlen(text)) : NULL;
}

static char **again_all(char *const *strings)
{
    size_t count = 0;

    if (!strings)
        return NULL;
    while (strings[count])
        count++;

    char **copy = text_alloc((count + 1) * sizeof *copy);

    for (size_t i = 0; i < count; i++)
        copy[i] = again(strings[i]);
    return copy;
}

static struct kube_pem pem_again(const struct kube_pem *pem)
{
    return (struct kube_pem){.file = again(pem->file),
                             .data = pem->data ? text_dup(pem->data, pem->length) : NULL,
                             .length = pem->length};
}

void kube_config_copy(const struct kube_config *config, struct kube_config *copy)
{
    const struct kube_exec *exec = &config->exec;

    *copy = (struct kube_config){
        .server = again(config->server),
        .server_name = again(config->server_name),
        .proxy = again(config->proxy),
        .space = again(config->space),
        .ca = pem_again(&config->ca),
        .certificate = pem_again(&config->certificate),
        .key = pem_again(&config->key),
        .token = again(config->token),
        .token_file = again(config->token_file),
        .user = again(config->user),
        .password = again(config->password),
        .exec = {.command = again(exec->command),
                 .arguments = again_all(exec->arguments),
                 .variables = again_all(exec->variables),
                 .version = again(exec->version),
                 .hint = again(exec->hint),
                 .cluster_info = exec->cluster_info,
                 .extension = tree_copy(exec->extension),
                 .interactive = exec->interactive},
        .insecure = config->insecure,
    };
}

/* Addresses. */

static void auto_url(CURLU **url)
{
    curl_url_cleanup(*url);
}

static char *part_of(CURLU *url, CURLUPart which, unsigned flags)
{
    char *part = NULL, *copy;

    if (curl_url_get(url, which, &part, flags) != CURLUE_OK)
        return NULL;
    copy = again(part);
    curl_free(part);
    return copy;
}

static bool has_part(CURLU *url, CURLUPart which)
{
    AUTO(free) char *part = part_of(url, which, 0);

    return part != NULL;
}

static bool is_loopback(const char *host)
{
    return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           (strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == strlen(host));
}

bool kube_server_check(const char *server, struct error *err)
{
    AUTO(url) CURLU *url = curl_url();
    CURLUcode parsed = curl_url_set(url, CURLUPART_URL, server ? server : "", 0);

    if (!server || parsed != CURLUE_OK)
        return error_set(err, ERROR_INVALID, "the address of the server is no URL: %s",
                         curl_url_strerror(parsed));

    AUTO(free) char *scheme = part_of(url, CURLUPART_SCHEME, 0);
    AUTO(free) char *host = part_of(url, CURLUPART_HOST, 0);

    if (!host || (strcmp(scheme, "https") != 0 && strcmp(scheme, "http") != 0))
        return error_set(err, ERROR_INVALID, "the address of the server must begin with https://");
    if (strcmp(scheme, "http") == 0 && !is_loopback(host))
        return error_set(err, ERROR_INVALID,
                         "the address of the server must begin with https:// (%s is not loopback)",
                         host);
    if (has_part(url, CURLUPART_USER) || has_part(url, CURLUPART_PASSWORD))
        return error_set(err, ERROR_INVALID, "the address of the server must not name a user");
    if (has_part(url, CURLUPART_QUERY) || has_part(url, CURLUPART_FRAGMENT))
        return error_set(err, ERROR_INVALID,
                         "the address of the server must have no query or fragment");
    if (server[strlen(server) - 1] == '/')
        return error_set(err, ERROR_INVALID, "the address of the server must not end in a slash");
    return true;
}

struct kube_address kube_address(const char *server)
{
    AUTO(url) CURLU *url = curl_url();
    struct kube_address address;

    if (curl_url_set(url, CURLUPART_URL, server, 0) != CURLUE_OK)
        abort();
    address.host = part_of(url, CURLUPART_HOST, 0);
    address.port = part_of(url, CURLUPART_PORT, CURLU_DEFAULT_PORT);
    address.prefix = part_of(url, CURLUPART_PATH, 0);
    if (!address.host || !address.port || !address.prefix)
        abort();
    if (strcmp(address.prefix, "/") == 0)
        address.prefix[0] = '\0';
    return address;
}

void kube_address_done(struct kube_address *address)
{
    free(address->host);
    free(address->port);
    free(address->prefix);
}

/* In a pod. */

static char *file_in(const char *folder, const char *name)
{
    return text_format("%s/%s", folder, name);
}

static char *first_line(const char *path)
{
    AUTO(fclose) FILE *file = fopen(path, "re");
    char line[256];

    if (!file || !fgets(line, sizeof line, file))
        return NULL;

    struct span trimmed = text_trim(span_of(line));

    /* cppcheck-suppress resourceLeak; it does not see AUTO */
    return trimmed.length ? text_dup(trimmed.data, trimmed.length) : NULL;
}

bool kube_config_in_pod(const char *folder, struct kube_config *config, struct error *err)
{
    const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
    AUTO(free) char *token = file_in(folder, "token");
    AUTO(free) char *ca = file_in(folder, "ca.crt");
    AUTO(free) char *space = file_in(folder, "namespace");

    if (!host || !*host || !port || !*port)
        return error_set(err, ERROR_NOT_FOUND,
                         "this is no pod of Kubernetes: "
                         "KUBERNETES_SERVICE_HOST and _PORT are not set");
    if (access(token, R_OK) < 0)
        return error_set(err, ERROR_NOT_FOUND, "%s: %s", token, strerror(errno));
    if (access(ca, R_OK) < 0)
        return error_set(err, ERROR_NOT_FOUND, "%s: %s", ca, strerror(errno));

    bool ipv6 = strchr(host, ':') != NULL;
    AUTO(free)
    char *server = text_format("https://%s%s%s:%s", ipv6 ? "[" : "", host, ipv6 ? "]" : "", port);

    if (!kube_server_check(server, err))
        return error_wrap(err, "KUBERNETES_SERVICE_HOST");
    config->server = TAKE(server);
    config->token_file = TAKE(token);
    config->ca.file = TAKE(ca);
    config->space = first_line(space);
    return true;
}

bool kube_config_in_cluster(struct kube_config *config, struct error *err)
{
    return kube_config_in_pod("/var/run/secrets/kubernetes.io/serviceaccount", config, err);
}
