#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "kube/config_file.h"

/* A certificate or key: `key` is a path, `key`-data the bytes in base64, which count more. */
static bool read_pem(const struct config_part *part, const char *key, struct kube_pem *pem,
                     struct error *err)
{
    AUTO(free) char *data_key = text_format("%s-data", key);
    const char *data;
    gnutls_datum_t in, out;

    if (!config_text(part, data_key, &data, err))
        return false;
    if (!data)
        return config_path(part, key, &pem->file, err);
    in = (gnutls_datum_t){(unsigned char *)data, (unsigned)strlen(data)};
    if (gnutls_base64_decode2(&in, &out) < 0)
        return config_fault(part, data_key, err, "is not base64");
    pem->data = text_dup((char *)out.data, out.size);
    pem->length = out.size;
    explicit_bzero(out.data, out.size);
    gnutls_free(out.data);
    return true;
}

static bool has_pem(const struct kube_pem *pem)
{
    return pem->file || pem->data;
}

/* A field that is missing is often one that is misspelt. */
static bool missing(const struct config_part *part, const char *key, struct error *err)
{
    const char *wanted[] = {key, NULL}, *name;
    const json_t *value;

    tree_each (part->value, name, value)
        if (text_did_you_mean(span_of(name), wanted)) {
            AUTO(free)
            char *text = text_format("is missing; \"%.40s\" is not known, was this meant?", name);

            return config_fault(part, key, err, text);
        }
    return config_fault(part, key, err, "is missing");
}

static bool read_proxy(const struct config_part *part, struct kube_config *config,
                       struct error *err)
{
    const char *proxy;

    if (!config_text(part, "proxy-url", &proxy, err))
        return false;
    if (!proxy)
        return true;
    if (strncmp(proxy, "http://", 7) != 0 && strncmp(proxy, "https://", 8) != 0 &&
        strncmp(proxy, "socks5://", 9) != 0)
        return config_fault(part, "proxy-url", err,
                            "must begin with http://, https:// or socks5://");
    /* the proxy resolves the name, as with kubectl */
    if (strncmp(proxy, "socks5://", 9) == 0)
        config->proxy = text_format("socks5h://%s", proxy + 9);
    else
        config->proxy = text_dup(proxy, strlen(proxy));
    return true;
}

static bool read_server(const struct config_part *part, struct kube_config *config,
                        struct error *err)
{
    const char *server;
    struct error why;

    if (!config_text(part, "server", &server, err))
        return false;
    if (!server)
        return missing(part, "server", err);
    config->server = text_dup(server, strlen(server));
    for (size_t end = strlen(config->server); end && config->server[end - 1] == '/'; end--)
        config->server[end - 1] = '\0';
    return kube_server_check(config->server, &why) ? true
                                                   : config_fault(part, "server", err, why.message);
}

static void read_extension(const struct config_part *part, struct kube_config *config)
{
    const json_t *extensions = tree_get(part->value, "extensions"),
                 *ours = tree_named(extensions, "client.authentication.k8s.io/exec");

    config->exec.extension = tree_copy(tree_get(ours, "extension"));
}

static bool read_cluster(const struct config_part *part, struct kube_config *config,
                         struct error *err)
{
    if (!read_server(part, config, err) ||
        !config_copy(part, "tls-server-name", &config->server_name, err) ||
        !read_pem(part, "certificate-authority", &config->ca, err) ||
        !config_bool(part, "insecure-skip-tls-verify", &config->insecure, err) ||
        !read_proxy(part, config, err))
        return false;
    if (config->insecure && has_pem(&config->ca))
        return config_fault(part, "insecure-skip-tls-verify", err,
                            "can not be true beside a certificate-authority");
    if (config->server_name &&
        strspn(config->server_name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                    "0123456789.-") != strlen(config->server_name))
        return config_fault(part, "tls-server-name", err, "is not a host name");
    read_extension(part, config);
    return true;
}

/* A list of strings after `first` (which may be NULL), ended by NULL. */
static bool read_arguments(const struct config_part *part, const char *first, char ***out,
                           struct error *err)
{
    const json_t *list = tree_get(part->value, "args"), *argument;
    size_t i;

    if (list && !json_is_array(list) && !json_is_null(list))
        return config_fault(part, "args", err, "is not a list");

    char **all = text_alloc((json_array_size(list) + 2) * sizeof *all);

    *out = all;
    *all++ = text_dup(first, strlen(first));
    tree_items (list, i, argument) {
        struct span value = tree_value(argument);

        if (!value.data || memchr(value.data, '\0', value.length))
            return config_fault(part, "args", err, "holds what is not a string");
        *all++ = text_dup(value.data, value.length);
    }
    return true;
}

static bool read_variables(const struct config_part *part, char ***out, struct error *err)
{
    const json_t *list = tree_get(part->value, "env"), *variable;
    size_t i;

    if (list && !json_is_array(list) && !json_is_null(list))
        return config_fault(part, "env", err, "is not a list");

    char **all = text_alloc((json_array_size(list) + 1) * sizeof *all);

    *out = all;
    tree_items (list, i, variable) {
        const char *name = tree_text(variable, "name"), *value = tree_text(variable, "value");

        if (!name || !*name || strchr(name, '='))
            return config_fault(part, "env", err, "needs a name in each element");
        *all++ = text_format("%s=%s", name, value ? value : "");
    }
    return true;
}

/* A command with a slash in it is a path beside the file; a plain name is looked for in PATH. */
static char *command_of(const struct config_part *part, const char *command)
{
    if (*command == '/' || !strchr(command, '/'))
        return text_dup(command, strlen(command));
    return text_format("%s/%s", part->file->folder, command);
}

static bool read_mode(const struct config_part *part, struct kube_exec *exec, struct error *err)
{
    static const char *const names[] = {"IfAvailable", "Never", "Always", NULL};
    const char *mode;

    if (!config_text(part, "interactiveMode", &mode, err))
        return false;
    if (!mode)
        return true;
    for (size_t i = 0; names[i]; i++)
        if (strcmp(mode, names[i]) == 0) {
            exec->interactive = (enum kube_exec_interactive)i;
            return true;
        }
    return config_fault(part, "interactiveMode", err, "is none of IfAvailable, Never, Always");
}

static bool read_exec(const struct config_part *user, struct kube_exec *exec, struct error *err)
{
    struct config_part part = {.file = user->file, .value = tree_get(user->value, "exec")};
    const char *command, *version;

    snprintf(part.field, sizeof part.field, "%.100s.exec", user->field);
    if (!part.value || json_is_null(part.value))
        return true;
    if (!json_is_object(part.value))
        return config_fault(&part, NULL, err, "is not an object");
    if (!config_text(&part, "command", &command, err) ||
        !config_text(&part, "apiVersion", &version, err))
        return false;
    if (!command)
        return missing(&part, "command", err);
    if (!version)
        return missing(&part, "apiVersion", err);
    if (strcmp(version, "client.authentication.k8s.io/v1") != 0 &&
        strcmp(version, "client.authentication.k8s.io/v1beta1") != 0)
        return config_fault(&part, "apiVersion", err,
                            "is not client.authentication.k8s.io/v1 or v1beta1");
    exec->command = command_of(&part, command);
    exec->version = text_dup(version, strlen(version));
    return read_arguments(&part, exec->command, &exec->arguments, err) &&
           read_variables(&part, &exec->variables, err) &&
           config_copy(&part, "installHint", &exec->hint, err) &&
           config_bool(&part, "provideClusterInfo", &exec->cluster_info, err) &&
           read_mode(&part, exec, err);
}

/* What would make us somebody else than the file says must not be passed over. */
static bool refuse_unsupported(const struct config_part *part, struct error *err)
{
    static const char *const keys[][2] = {
        {"as", "asks to impersonate, which is not supported"},
        {"as-uid", "asks to impersonate, which is not supported"},
        {"as-groups", "asks to impersonate, which is not supported"},
        {"as-user-extra", "asks to impersonate, which is not supported"},
        {"auth-provider", "is gone from Kubernetes; use exec"},
    };

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const json_t *value = tree_get(part->value, keys[i][0]);

        if (value && !json_is_null(value))
            return config_fault(part, keys[i][0], err, keys[i][1]);
    }
    return true;
}

static bool check_user(const struct config_part *part, const struct kube_config *config,
                       struct error *err)
{
    int ways = (config->token || config->token_file) + (config->user != NULL) +
               (config->exec.command != NULL);

    if (has_pem(&config->certificate) && !has_pem(&config->key))
        return missing(part, "client-key", err);
    if (has_pem(&config->key) && !has_pem(&config->certificate))
        return missing(part, "client-certificate", err);
    if (ways > 1)
        return config_fault(part, NULL, err, "has more than one of token, username and exec");
    return true;
}

static bool read_user(const struct config_part *part, struct kube_config *config, struct error *err)
{
    return refuse_unsupported(part, err) &&
           read_pem(part, "client-certificate", &config->certificate, err) &&
           read_pem(part, "client-key", &config->key, err) &&
           config_copy(part, "token", &config->token, err) &&
           config_path(part, "tokenFile", &config->token_file, err) &&
           config_copy(part, "username", &config->user, err) &&
           config_copy(part, "password", &config->password, err) &&
           read_exec(part, &config->exec, err) && check_user(part, config, err);
}

static bool read_all(const struct config_files *files, const char *context,
                     struct kube_config *config, struct error *err)
{
    struct config_part part, named;
    const char *cluster, *user;

    if (!context && !config_files_text(files, "current-context", &context, err))
        return false;
    if (!context)
        return error_set(err, ERROR_NOT_FOUND, "%s: current-context: is missing",
                         files->items[0].path);
    if (!config_files_find(files, "contexts", "context", context, &part, err) ||
        !config_text(&part, "cluster", &cluster, err) || !config_text(&part, "user", &user, err) ||
        !config_copy(&part, "namespace", &config->space, err))
        return false;
    if (!cluster)
        return missing(&part, "cluster", err);
    if (!config_files_find(files, "clusters", "cluster", cluster, &named, err) ||
        !read_cluster(&named, config, err))
        return false;
    return !user || (config_files_find(files, "users", "user", user, &named, err) &&
                     read_user(&named, config, err));
}

bool kube_config_read(const char *path, const char *context, struct kube_config *config,
                      struct error *err)
{
    AUTO(config_files) struct config_files files = {0};
    AUTO(kube_config) struct kube_config read = {0};

    if (!config_files_read(path, &files, err) || !read_all(&files, context, &read, err))
        return false;
    *config = read;
    read = (struct kube_config){0};
    return true;
}
