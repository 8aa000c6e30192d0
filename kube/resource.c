#include "kube/resource.h"

#include <ctype.h>
#include <string.h>

/* RFC 3986 section 2.3: what stands for itself everywhere; all else is escaped, also what a header
 * line or a path would end at. */
static void escape(struct text *out, const char *value)
{
    for (const unsigned char *c = (const unsigned char *)value; *c; c++)
        if (*c < 0x80 && (isalnum(*c) || strchr("-._~", *c)))
            text_putc(out, (char)*c);
        else
            text_addf(out, "%%%02X", *c);
}

/* "." and ".." would lead elsewhere */
static void segment(struct text *out, const char *name)
{
    text_putc(out, '/');
    if (strspn(name, ".") == strlen(name))
        for (; *name; name++)
            text_puts(out, "%2E");
    else
        escape(out, name);
}

void kube_path(struct text *out, const struct kube_resource *resource, const char *space,
               const char *name, const char *sub)
{
    if (*resource->group) {
        text_puts(out, "/apis");
        segment(out, resource->group);
    } else {
        text_puts(out, "/api");
    }
    segment(out, resource->version);
    if (space) {
        text_puts(out, "/namespaces");
        segment(out, space);
    }
    segment(out, resource->plural);
    if (name)
        segment(out, name);
    if (sub)
        segment(out, sub);
}

void kube_query(struct text *path, const char *key, const char *value)
{
    if (!value)
        return;
    text_putc(path, strchr(text_get(path), '?') ? '&' : '?');
    escape(path, key);
    text_putc(path, '=');
    escape(path, value);
}
