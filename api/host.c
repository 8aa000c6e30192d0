#include "api/host.h"

#include <ctype.h>
#include <string.h>

/* How the pods of a kind are told apart. */
enum telling { BY_ORDINAL, BY_NODE };

static const struct {
    const char *kind;
    enum telling telling;
} kinds[] = {{"StatefulSet", BY_ORDINAL}, {"DaemonSet", BY_NODE}};

static bool has(const char *word)
{
    return word && *word;
}

/* What stands behind the last "-" of a pod's name, when that is a number; else NULL. */
static const char *ordinal(const char *pod)
{
    const char *dash = pod ? strrchr(pod, '-') : NULL, *at;

    if (!dash || !dash[1])
        return NULL;
    for (at = dash + 1; *at; at++)
        if (!isdigit((unsigned char)*at))
            return NULL;
    return dash + 1;
}

static bool of_ordinal(struct text *host, const struct host_of *of)
{
    const char *number = ordinal(of->pod);

    if (number)
        text_addf(host, "%s-%s", has(of->alias) ? of->alias : "host", number);
    return number != NULL;
}

static bool of_node(struct text *host, const struct host_of *of)
{
    if (!has(of->node))
        return false;
    if (has(of->alias))
        text_addf(host, "%s-", of->alias);
    text_puts(host, of->node);
    return true;
}

bool host_name(struct text *host, const struct host_of *of)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (of->kind && !strcmp(of->kind, kinds[i].kind))
            return kinds[i].telling == BY_NODE ? of_node(host, of) : of_ordinal(host, of);
    text_puts(host, has(of->alias) ? of->alias : "host-0");
    return true;
}
