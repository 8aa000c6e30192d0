#include "agent/etcd_member.h"

#include <string.h>

#include "base/span.h"

static bool is_plain(struct span text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.data[i] <= ' ' || text.data[i] > '~')
            return false;
    return text.length > 0;
}

static bool begins(struct span text, const char *with)
{
    return text.length > strlen(with) && memcmp(text.data, with, strlen(with)) == 0;
}

static bool is_peer_url(struct span url)
{
    return is_plain(url) && (begins(url, "http://") || begins(url, "https://"));
}

/* "name=url" */
static bool take_pair(struct span pair, struct span *name, struct span *url)
{
    const char *equals = pair.length ? memchr(pair.data, '=', pair.length) : NULL;

    if (!equals)
        return false;
    *name = (struct span){pair.data, (size_t)(equals - pair.data)};
    *url = (struct span){equals + 1, pair.length - name->length - 1};
    return is_plain(*name) && is_peer_url(*url);
}

bool etcd_peer_urls(const char *initial_cluster, const char *name, struct text *urls,
                    struct error *err)
{
    struct span rest = span_of(initial_cluster), pair, who, url;
    size_t before = urls->length;

    if (!is_plain(span_of(name)) || strlen(name) > ETCD_NAME_MAX_CHARS)
        return error_set(err, ERROR_INVALID, "this can not be the name of a member");
    if (rest.length > ETCD_CLUSTER_MAX_CHARS)
        return error_set(err, ERROR_INVALID, "the list of members is too long");
    while (text_split(&rest, ',', &pair)) {
        if (!take_pair(pair, &who, &url)) {
            urls->length = before;
            return error_set(err, ERROR_INVALID,
                             "the list of members must read name=https://host:port,..., but has "
                             "\"%.*s\"",
                             pair.length > 80 ? 80 : (int)pair.length, pair.data ? pair.data : "");
        }
        if (!span_is(who, name))
            continue;
        if (urls->length > before)
            text_putc(urls, ',');
        text_add(urls, url.data, url.length);
    }
    return urls->length > before ||
           error_set(err, ERROR_INVALID, "the list of members has no \"%s\"", name);
}
