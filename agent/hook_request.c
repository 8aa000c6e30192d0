#include "agent/hook_request.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "api/hook_template.h"
#include "base/auto.h"
#include "base/tree.h"

void hook_request_done(struct hook_request *request)
{
    free(request->address);
    free(request->path);
    text_done(&request->fields);
    text_done(&request->body);
    *request = (struct hook_request){0};
}

/* ---- where ---- */

/* A number, or one written as text. What has a name was looked up before, if anybody knew it. */
static long port_of(const json_t *port)
{
    const char *text = json_string_value(port);
    size_t length = text ? strlen(text) : 0;

    if (json_is_integer(port))
        return json_integer_value(port) > 65535 ? -1 : (long)json_integer_value(port);
    return length > 0 && length <= 5 && strspn(text, "0123456789") == length
               ? strtol(text, NULL, 10)
               : -1;
}

/* Letters, digits and what addresses have; nothing that could end a line of a head. */
static bool is_host(const char *host)
{
    size_t length = strlen(host);

    return length <= 253 && host[0] != '-' &&
           strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:") ==
               length;
}

static bool take_address(struct hook_request *request, const json_t *action, struct error *err)
{
    const char *host = tree_text(action, "host"), *name = tree_text(action, "port");
    long port = port_of(tree_get(action, "port"));

    if (port < 1 || port > 65535)
        return name ? error_set(err, ERROR_INVALID, "the pod has no port named \"%.63s\"", name)
                    : error_set(err, ERROR_INVALID, "no port that there is");
    if (!host || !*host)
        host = "localhost";
    if (!is_host(host))
        return error_set(err, ERROR_INVALID, "\"host\" is neither a name nor an address");
    request->address = text_format(strchr(host, ':') ? "[%s]:%ld" : "%s:%ld", host, port);
    return true;
}

/* Beginning with a slash; what can not stand in a request line is written as %XX. */
static char *path_of(struct span path)
{
    AUTO(text) struct text text = {0};

    if (!path.length || path.data[0] != '/')
        text_putc(&text, '/');
    for (size_t i = 0; i < path.length && path.data[i] != '#'; i++) {
        unsigned char c = (unsigned char)path.data[i];

        if (c > ' ' && c < 0x7f)
            text_putc(&text, (char)c);
        else
            text_addf(&text, "%%%02X", c);
    }
    return text_take(&text);
}

/* ---- what ---- */

static bool is_token(struct span name)
{
    for (size_t i = 0; i < name.length; i++)
        if (!isalnum((unsigned char)name.data[i]) &&
            !(name.data[i] && strchr("!#$%&'*+-.^_`|~", name.data[i])))
            return false;
    return name.length > 0 && name.length <= 256;
}

static bool is_line(struct span value)
{
    for (size_t i = 0; i < value.length; i++)
        if (iscntrl((unsigned char)value.data[i]) && value.data[i] != '\t')
            return false;
    return true;
}

static bool is(struct span name, const char *word)
{
    return name.length == strlen(word) && strncasecmp(name.data, word, name.length) == 0;
}

/* How the body is delimited is ours to say. */
static bool is_ours(struct span name)
{
    return is(name, "Content-Length") || is(name, "Transfer-Encoding") || is(name, "Connection") ||
           is(name, "Expect") || is(name, "Upgrade") || is(name, "TE") || is(name, "Trailer");
}

static bool take_fields(struct hook_request *request, const json_t *headers, struct error *err)
{
    const json_t *header;
    size_t i;

    tree_items (headers, i, header) {
        struct span name = tree_span(header, "name"), value = tree_span(header, "value");

        if (!is_token(name) || !is_line(value))
            return error_set(err, ERROR_INVALID, "httpHeaders[%zu] is no field of a head", i);
        if (is_ours(name))
            continue;
        request->names_host = request->names_host || is(name, "Host");
        request->names_type = request->names_type || is(name, "Content-Type");
        request->names_agent = request->names_agent || is(name, "User-Agent");
        text_add(&request->fields, name.data, name.length);
        text_puts(&request->fields, ": ");
        text_add(&request->fields, value.data, value.length);
        text_puts(&request->fields, "\r\n");
    }
    return true;
}

static void add_form_text(struct text *out, struct span text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (isalnum(c) || (c && strchr("-._~", c)))
            text_putc(out, (char)c);
        else if (c == ' ')
            text_putc(out, '+');
        else
            text_addf(out, "%%%02X", c);
    }
}

static void take_form(struct hook_request *request, const json_t *form)
{
    const json_t *entry, *value;
    size_t i, k;

    request->form = json_array_size(form) > 0;
    tree_items (form, i, entry)
        tree_items (tree_get(entry, "values"), k, value) {
            if (request->body.length > 0)
                text_putc(&request->body, '&');
            add_form_text(&request->body, tree_span(entry, "key"));
            text_putc(&request->body, '=');
            add_form_text(&request->body, tree_value(value));
        }
}

static bool take_body(struct hook_request *request, const json_t *action, const json_t *data,
                      struct error *err)
{
    struct span body = tree_span(action, "body");

    take_form(request, tree_get(action, "form"));
    if (request->form)
        return request->body.length <= HOOK_BODY_MAX_BYTES ||
               error_set(err, ERROR_INVALID, "its form has more than %u bytes",
                         HOOK_BODY_MAX_BYTES);
    request->json = body.length > 0;
    return !request->json ||
           hook_template_fill(body, data, HOOK_BODY_MAX_BYTES, &request->body, err);
}

static bool take_scheme(struct hook_request *request, const json_t *action, struct error *err)
{
    struct span scheme = tree_span(action, "scheme");

    request->tls = is(scheme, "HTTPS");
    return request->tls || !scheme.length || is(scheme, "HTTP") ||
           error_set(err, ERROR_INVALID, "\"scheme\" is neither HTTP nor HTTPS");
}

bool hook_request_make(struct hook_request *request, const char *kind, const json_t *action,
                       const json_t *data, struct error *err)
{
    if (!take_address(request, action, err))
        return false;
    if (strcmp(kind, "tcpSocket") == 0)
        return true;
    request->post = strcmp(kind, "httpPost") == 0;
    request->path = path_of(tree_span(action, "path"));
    return take_scheme(request, action, err) &&
           take_fields(request, tree_get(action, "httpHeaders"), err) &&
           (!request->post || take_body(request, action, data, err));
}

void hook_request_write(const struct hook_request *request, struct text *out)
{
    text_addf(out, "%s %s HTTP/1.1\r\n", request->post ? "POST" : "GET", request->path);
    if (!request->names_host)
        text_addf(out, "Host: %s\r\n", request->address);
    if (!request->names_agent)
        text_puts(out, "User-Agent: granary-agent/" GRANARY_VERSION "\r\n");
    if (request->post && !request->names_type && (request->json || request->form))
        text_addf(out, "Content-Type: application/%s\r\n",
                  request->form ? "x-www-form-urlencoded" : "json");
    text_add(out, text_get(&request->fields), request->fields.length);
    if (request->post)
        text_addf(out, "Content-Length: %zu\r\n", request->body.length);
    text_puts(out, "Connection: close\r\n\r\n");
    if (request->post)
        text_add(out, text_get(&request->body), request->body.length);
}

/* ---- other places ---- */

static bool starts(struct span text, const char *with)
{
    return text.length >= strlen(with) && strncasecmp(text.data, with, strlen(with)) == 0;
}

/* The path in a location; false: it is of another server, or relative to what we do not know. */
static bool path_in(const struct hook_request *request, struct span location, struct span *path)
{
    AUTO(free)
    char *own = text_format("http%s://%s", request->tls ? "s" : "", request->address);
    size_t length = strlen(own);

    if (starts(location, own) && (location.length == length || location.data[length] == '/'))
        location = (struct span){location.data + length, location.length - length};
    else if (!location.length || location.data[0] != '/')
        return false;
    *path = location;
    return location.length < 2 || location.data[1] != '/';
}

bool hook_request_follow(struct hook_request *request, int status, struct span location)
{
    struct span path;

    if ((status != 301 && status != 302 && status != 303 && status != 307 && status != 308) ||
        location.length > 4096 || !path_in(request, location, &path))
        return false;
    free(request->path);
    request->path = path_of(path);
    request->post = request->post && status > 303;
    return true;
}
