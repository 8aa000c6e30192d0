#include "agent/etcd_connection.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/base64.h"
#include "base/tree.h"

/* The usual names of keys, the first that is there counts. */
static const char *const certificates[] = {"tls.crt", "client.pem", "client.crt", "client-cert.pem",
                                           NULL},
                         *const keys[] = {"tls.key", "client-key.pem", "client.key", NULL},
                         *const authorities[] = {"ca.crt", "root.pem", "ca.pem", NULL};

static void wipe_word(char *word)
{
    if (word)
        explicit_bzero(word, strlen(word));
    free(word);
}

void etcd_connection_done(struct etcd_connection *connection)
{
    text_wipe(&connection->ca);
    text_wipe(&connection->certificate);
    text_wipe(&connection->key);
    wipe_word(connection->password);
    free(connection->user);
    free(connection->endpoint);
    *connection = (struct etcd_connection){0};
}

/* ---- the Secret as it is meant ---- */

static void put_encoded(json_t *data, const char *key, struct span value)
{
    AUTO(text) struct text base64 = {0};

    base64_encode(&base64, value);
    tree_put_text(data, key, text_get(&base64));
}

static void rename_key(json_t *data, const json_t *what)
{
    const char *from = tree_text(what, "from"), *to = tree_text(what, "to");
    const json_t *value = from ? tree_get(data, from) : NULL;

    if (!value || !to || strcmp(from, to) == 0)
        return;
    tree_put_new(data, to, tree_copy(value));
    json_object_del(data, from);
}

static void add_key(json_t *data, const json_t *what)
{
    const char *key = tree_text(what, "key");
    struct span text = tree_span(what, "stringValue");

    if (!key)
        return;
    if (text.length)
        put_encoded(data, key, text);
    else
        tree_put_text(data, key, tree_text(what, "value"));
}

static void add_keys(json_t *data, const json_t *others)
{
    const char *key;
    const json_t *value;

    tree_each (others, key, value)
        tree_put_new(data, key, tree_copy(value));
}

/* In their order, as the AppBinding says. */
static json_t *transformed(const json_t *app, const json_t *secrets)
{
    const json_t *given = tree_member(secrets, "secret", JSON_OBJECT), *one;
    json_t *data = given ? tree_copy(given) : json_object();
    size_t i, from = 0;

    tree_items (tree_get(app, "secretTransforms"), i, one) {
        rename_key(data, tree_get(one, "renameKey"));
        add_key(data, tree_get(one, "addKey"));
        if (tree_get(one, "addKeysFrom"))
            add_keys(data, json_array_get(tree_get(secrets, "from"), from++));
        if (tree_text(tree_get(one, "removeKey"), "key"))
            json_object_del(data, tree_text(tree_get(one, "removeKey"), "key"));
    }
    return data;
}

static bool decode(const json_t *data, const char *key, struct text *out, struct error *err)
{
    text_wipe(out);
    return base64_decode(out, tree_span(data, key)) ||
           error_set(err, ERROR_INVALID, "the key %s of the Secret is no base64", key);
}

/* The first of these names that is there. */
static bool take_first(const json_t *data, const char *const *names, struct text *out,
                       struct error *err)
{
    for (; *names && !out->length; names++)
        if (tree_span(data, *names).length && !decode(data, *names, out, err))
            return false;
    return true;
}

static bool take_word(const json_t *data, const char *key, char **out, struct error *err)
{
    struct text text = {0};

    if (!tree_span(data, key).length)
        return true;
    if (!decode(data, key, &text, err))
        return false;
    if (!text.length || strlen(text.data) != text.length) {
        text_wipe(&text);
        return error_set(err, ERROR_INVALID, "the key %s of the Secret is no text", key);
    }
    *out = text_take(&text);
    return true;
}

/* A certificate and its key come from one place. */
static bool take_identity(const json_t *data, struct etcd_connection *connection, struct error *err)
{
    if (connection->certificate.length && connection->key.length)
        return true;
    text_wipe(&connection->certificate);
    text_wipe(&connection->key);
    return take_first(data, certificates, &connection->certificate, err) &&
           take_first(data, keys, &connection->key, err);
}

static bool take_ca(const json_t *app, const json_t *tls, const json_t *data,
                    struct etcd_connection *connection, struct error *err)
{
    struct span bundle = tree_span(tree_get(app, "clientConfig"), "caBundle");

    if (bundle.length && !base64_decode(&connection->ca, bundle))
        return error_set(err, ERROR_INVALID, "clientConfig.caBundle is no base64");
    if (!connection->ca.length && !take_first(tls, authorities, &connection->ca, err))
        return false;
    return connection->ca.length > 0 || take_first(data, authorities, &connection->ca, err);
}

static bool take_secrets(const json_t *app, const json_t *secrets,
                         struct etcd_connection *connection, struct error *err)
{
    AUTO(json) json_t *data = transformed(app, secrets);
    const json_t *tls = tree_member(secrets, "tls", JSON_OBJECT);

    if (!take_identity(tls, connection, err) || !take_identity(data, connection, err) ||
        !take_ca(app, tls, data, connection, err) ||
        !take_word(data, "username", &connection->user, err) ||
        !take_word(data, "password", &connection->password, err))
        return false;
    if (!connection->certificate.length != !connection->key.length)
        return error_set(err, ERROR_INVALID,
                         "the Secret has a client certificate or its key, not both");
    return !connection->user == !connection->password ||
           (connection->password && tree_true(app, "passwordAlone")) ||
           error_set(err, ERROR_INVALID, "the Secret has username or password, not both");
}

/* ---- the address ---- */

static bool is_host(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-';
}

/* Behind the scheme: name:port, 10.0.0.1:port, [fd00::1]:port. Its host's length, 0: none. */
static size_t host_length(const char *text)
{
    size_t length = 0;

    if (text[0] == '[') {
        length = 1 + strspn(text + 1, "0123456789abcdefABCDEF:.");
        return length > 1 && text[length] == ']' ? length + 1 : 0;
    }
    while (is_host(text[length]))
        length++;
    return length;
}

static bool is_port(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    long port = digits > 0 && digits < 6 ? strtol(text, NULL, 10) : 0;

    return port > 0 && port < 65536 && !text[digits];
}

bool etcd_endpoint_is(const char *url, bool tls)
{
    const char *scheme = tls ? "https://" : "http://";
    size_t length;

    if (strncmp(url, scheme, strlen(scheme)) != 0)
        return false;
    url += strlen(scheme);
    length = host_length(url);
    return length > 0 && length < 256 && url[length] == ':' && is_port(url + length + 1);
}

static char *of_service(const json_t *app, const json_t *service, bool tls)
{
    const char *own = tree_text(app, "namespace"), *space = tree_text(service, "namespace");
    const char *name = tree_text(service, "name");

    return text_format("%s://%s.%s.svc:%lld", tls ? "https" : "http", name ? name : "",
                       space && *space ? space
                       : own           ? own
                                       : "",
                       (long long)tree_int(service, "port", 0));
}

/* With the port that etcd has when none is named, without a slash at its end. */
static char *of_url(const char *url, bool tls)
{
    const char *begin = strstr(url, "://");
    AUTO(text) struct text made = {0};
    size_t length;

    begin = begin ? begin + 3 : url;
    length = strlen(begin);
    while (length > 0 && begin[length - 1] == '/')
        length--;
    text_addf(&made, "%s://%.*s", tls ? "https" : "http", (int)length, begin);
    if (host_length(begin) == length)
        text_puts(&made, ":2379");
    return text_take(&made);
}

static bool begins(const char *text, const char *with)
{
    return text && strncmp(text, with, strlen(with)) == 0;
}

static bool wants_tls(const json_t *config, const struct etcd_connection *connection)
{
    const json_t *service = tree_get(config, "service");
    const char *url = tree_text(config, "url");

    return span_is(tree_span(service, "scheme"), "https") ||
           (!service && begins(url, "https://")) || connection->ca.length > 0 ||
           tree_true(config, "insecureSkipTLSVerify");
}

/* etcd's tools verify the name that they connect to, and no option names another one. */
static bool check_name(const json_t *config, const struct etcd_connection *connection,
                       struct error *err)
{
    const char *name = tree_text(config, "serverName");
    const char *host = strstr(connection->endpoint, "://") + 3;

    if (!name || !*name || !connection->tls || connection->insecure ||
        (strlen(name) == host_length(host) && strncmp(name, host, strlen(name)) == 0))
        return true;
    return error_set(err, ERROR_INVALID,
                     "clientConfig.serverName is %s: etcd's tools verify the name that they "
                     "connect to, so it has to be the host of url",
                     name);
}

bool etcd_connection_make(const json_t *app, const json_t *secrets,
                          struct etcd_connection *connection, struct error *err)
{
    AUTO(etcd_connection) struct etcd_connection made = {0};
    const json_t *config = tree_get(app, "clientConfig"), *service = tree_get(config, "service");
    const char *url = tree_text(config, "url");

    if (!take_secrets(app, secrets, &made, err))
        return false;
    made.tls = wants_tls(config, &made);
    made.insecure = made.tls && tree_true(config, "insecureSkipTLSVerify");
    made.endpoint = service ? of_service(app, service, made.tls) : of_url(url ? url : "", made.tls);
    if (!etcd_endpoint_is(made.endpoint, made.tls))
        return error_set(err, ERROR_INVALID,
                         "clientConfig names no service with a port, and no url of a host");
    if (!check_name(config, &made, err))
        return false;
    *connection = made;
    made = (struct etcd_connection){0};
    return true;
}

void etcd_connection_environment(const struct etcd_connection *connection, struct words *out)
{
    words_add(out, "ETCDCTL_API=3");
    if (!connection->user)
        return;
    words_addf(out, "ETCDCTL_USER=%s", connection->user);
    words_addf(out, "ETCDCTL_PASSWORD=%s", connection->password);
}

/* ---- args ---- */

static bool is_allowed(struct span word)
{
    static const char *const allowed[] = {
        "--command-timeout=", "--dial-timeout=", "--keepalive-time=", "--keepalive-timeout="};

    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        if (word.length > strlen(allowed[i]) && begins(word.data, allowed[i]))
            return true;
    return false;
}

bool etcd_args_add(const char *text, struct words *out, struct error *err)
{
    struct span rest = span_of(text), word;

    while (text_split(&rest, ' ', &word)) {
        if (!word.length)
            continue;
        if (!is_allowed(word))
            return error_set(err, ERROR_FORBIDDEN,
                             "args: only --command-timeout=, --dial-timeout=, --keepalive-time= "
                             "and --keepalive-timeout= are for a snapshot");
        words_addf(out, "%.*s", (int)word.length, word.data);
    }
    return true;
}
