#include "api/variables.h"

#include <assert.h>
#include <stdlib.h>

#include "base/text.h"
#include "base/tree.h"

const char *const variable_names[] = {
    "TARGET_API_VERSION", "TARGET_KIND",
    "TARGET_NAME",        "TARGET_NAMESPACE",
    "TARGET_RESOURCE",    "TARGET_APP_TYPE",
    "TARGET_APP_GROUP",   "TARGET_APP_RESOURCE",
    "TARGET_APP_VERSION", NULL,
};

static void add(struct variables *variables, const char *name, struct span value,
                const char *origin)
{
    assert(variables->count < VARIABLES_MAX);
    variables->items[variables->count++] = (struct variable){name, value, origin};
}

static char *lower(const char *text)
{
    char *copy = text_dup(text, strlen(text));

    for (char *c = copy; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return copy;
}

static struct span behind_last_slash(struct span type)
{
    const char *slash = type.length ? memrchr(type.data, '/', type.length) : NULL;

    if (!slash)
        return type;
    return (struct span){slash + 1, type.length - (size_t)(slash + 1 - type.data)};
}

static void add_app(struct variables *variables, const json_t *spec)
{
    struct span type = tree_span(spec, "type"), resource = behind_last_slash(type);
    struct span group = {type.data,
                         resource.length < type.length ? type.length - resource.length - 1 : 0};

    add(variables, "TARGET_APP_TYPE", type, "spec.type");
    add(variables, "TARGET_APP_GROUP", group, "spec.type, before the last slash");
    add(variables, "TARGET_APP_RESOURCE", resource, "spec.type, behind the last slash");
    add(variables, "TARGET_APP_VERSION", tree_span(spec, "version"), "spec.version");
}

void variables_of_target(struct variables *variables, const char *api_version, const char *kind,
                         const char *space, const char *name, const json_t *spec)
{
    *variables = (struct variables){.kind = lower(kind)};
    variables->resource = text_format("%ss", variables->kind);
    add(variables, "TARGET_API_VERSION", span_of(api_version), "apiVersion");
    add(variables, "TARGET_KIND", span_of(variables->kind), "kind, in lower case");
    add(variables, "TARGET_NAME", span_of(name), "metadata.name");
    add(variables, "TARGET_NAMESPACE", span_of(space), "metadata.namespace");
    add(variables, "TARGET_RESOURCE", span_of(variables->resource), "the plural of kind");
    if (strcmp(kind, "AppBinding") == 0)
        add_app(variables, spec);
}

void variables_done(struct variables *variables)
{
    free(variables->kind);
    free(variables->resource);
    *variables = (struct variables){.count = 0};
}

const struct variable *variables_find(const struct variables *variables, struct span name)
{
    for (size_t i = 0; i < variables->count; i++)
        if (span_is(name, variables->items[i].name))
            return &variables->items[i];
    return NULL;
}
