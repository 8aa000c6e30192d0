#include "api/substitute.h"

#include "api/expand.h"
#include "api/names.h"
#include "base/tree.h"

/* Characters of a field and of somebody's text in a message. */
#define FIELD_SHOWN 100
#define TEXT_SHOWN 40

/* The way from a tree's root to one of its values; lives on the stack of the walk. */
struct frame {
    const struct frame *up; /* NULL at the root */
    const char *key;        /* NULL in a list */
    size_t index;
    enum unknown unknown;
};

/* One walk over a tree. */
struct walk {
    const struct substitution *how;
    const char *root;
    struct findings *findings; /* collects instead of stopping; may be NULL */
    struct error *err;
};

static void field_add(struct text *out, const struct frame *frame)
{
    if (!frame->up)
        return;
    field_add(out, frame->up);
    if (!frame->key)
        text_addf(out, "[%zu]", frame->index);
    else if (strpbrk(frame->key, "./"))
        text_addf(out, "[%s]", frame->key);
    else
        text_addf(out, "%s%s", out->length ? "." : "", frame->key);
}

static char *field_format(const char *root, const struct frame *frame)
{
    struct text out = {0};

    text_puts(&out, root);
    field_add(&out, frame);
    return text_take(&out);
}

static bool is_harmless_path(struct span path)
{
    struct span part;

    while (text_split(&path, '/', &part))
        if (span_is(part, ".."))
            return false;
    return true;
}

/* Where a resolved string decides what is read or written, and with whose rights. */
static const struct {
    const char *key;
    bool (*judge)(struct span value);
    const char *wanted;
} judged[] = {
    {"prefix", is_harmless_path, "must not hold \"..\""},
    {"subPath", is_harmless_path, "must not hold \"..\""},
    {"mountPath", is_harmless_path, "must not hold \"..\""},
    {"storageSecretName", name_is_subdomain, "must be a name"},
    {"agentSecretName", name_is_subdomain, "must be a name"},
    {"serviceAccountName", name_is_subdomain, "must be a name"},
    {"backupNamespace", name_is_label, "must be a name"},
    {"repoNamespace", name_is_label, "must be a name"},
};

static bool judge(const char *key, struct span value, struct error *err)
{
    for (size_t i = 0; key && i < sizeof judged / sizeof *judged; i++)
        if (strcmp(key, judged[i].key) == 0 && !judged[i].judge(value))
            return error_set(err, ERROR_INVALID, "\"%.*s\" %s",
                             (int)(value.length < TEXT_SHOWN ? value.length : TEXT_SHOWN),
                             value.data, judged[i].wanted);
    return true;
}

/* Who is told about the variables of one string. */
struct place {
    const struct walk *walk;
    const struct frame *frame;
};

static void told(void *context, const struct variable *variable)
{
    const struct place *place = context;
    const struct substitution *how = place->walk->how;
    AUTO(free) char *field = field_format(place->walk->root, place->frame);

    how->used(how->context, variable, field);
}

/* In a check the variables have no values, so the result is not judged. */
static json_t *resolve_text(const struct walk *walk, struct span in, const struct frame *frame)
{
    AUTO(text) struct text out = {0};
    struct place place = {walk, frame};
    struct expanding expanding = {.variables = walk->how->variables,
                                  .unknown = frame->unknown,
                                  .used = walk->how->used ? told : NULL,
                                  .context = &place};

    if (!expand_text(&out, in, &expanding, walk->err))
        return NULL;

    struct span made = {text_get(&out), out.length};

    if (!walk->findings && !judge(frame->key, made, walk->err))
        return NULL;
    return json_stringn(made.data, made.length);
}

static json_t *resolve_string(const struct walk *walk, const json_t *value,
                              const struct frame *frame)
{
    struct span in = tree_value(value);

    if (!memchr(in.data, '$', in.length))
        return tree_share(value);

    AUTO(json) json_t *made = resolve_text(walk, in, frame);

    if (made)
        return span_equal(tree_value(made), in) ? tree_share(value) : TAKE(made);

    AUTO(free) char *field = field_format(walk->root, frame);

    if (!walk->findings) {
        error_wrap(walk->err, "blueprint %.63s: %.*s", walk->how->blueprint, FIELD_SHOWN, field);
        return NULL;
    }
    findings_add(walk->findings, FINDING_ERROR, REASON_INVALID, field, "%s", walk->err->message);
    return tree_share(value);
}

static json_t *resolve(const struct walk *walk, const json_t *value, const struct frame *frame);

/* Hooks of the blueprint itself; a member of that name anywhere else is none. */
static enum unknown unknown_below(const struct walk *walk, const struct frame *frame,
                                  const char *key)
{
    bool hooks = !frame->up && strcmp(walk->root, "spec") == 0 && strcmp(key, "hooks") == 0;

    return hooks ? UNKNOWN_KEPT : frame->unknown;
}

/* Puts the new value in the place of the old one, into a copy that is made when first needed. */
static bool put_back(json_t **copy, const json_t *original, const struct frame *frame,
                     const json_t *old, json_t *value)
{
    if (value && value != old) {
        *copy = *copy ? *copy : json_copy((json_t *)original);
        if (frame->key)
            tree_put_new(*copy, frame->key, json_incref(value));
        else
            json_array_set(*copy, frame->index, value);
    }
    json_decref(value);
    return value != NULL;
}

static json_t *resolve_object(const struct walk *walk, const json_t *object, const struct frame *up)
{
    AUTO(json) json_t *copy = NULL;
    const char *key;
    const json_t *value;

    tree_each (object, key, value) {
        struct frame frame = {.up = up, .key = key, .unknown = unknown_below(walk, up, key)};

        if (!put_back(&copy, object, &frame, value, resolve(walk, value, &frame)))
            return NULL;
    }
    return copy ? TAKE(copy) : tree_share(object);
}

static json_t *resolve_list(const struct walk *walk, const json_t *list, const struct frame *up)
{
    AUTO(json) json_t *copy = NULL;
    size_t index;
    const json_t *value;

    tree_items (list, index, value) {
        struct frame frame = {.up = up, .index = index, .unknown = up->unknown};

        if (!put_back(&copy, list, &frame, value, resolve(walk, value, &frame)))
            return NULL;
    }
    return copy ? TAKE(copy) : tree_share(list);
}

static json_t *resolve(const struct walk *walk, const json_t *value, const struct frame *frame)
{
    if (json_is_string(value))
        return resolve_string(walk, value, frame);
    if (json_is_object(value))
        return resolve_object(walk, value, frame);
    if (json_is_array(value))
        return resolve_list(walk, value, frame);
    return tree_share(value);
}

static json_t *resolve_root(const struct walk *walk, const json_t *tree)
{
    bool hooks = strncmp(walk->root, "spec.hooks", strlen("spec.hooks")) == 0;
    struct frame root = {.unknown = hooks ? UNKNOWN_KEPT : UNKNOWN_REFUSED};

    return resolve(walk, tree, &root);
}

json_t *substitute_tree(const json_t *tree, const struct substitution *how, const char *field,
                        struct error *err)
{
    struct walk walk = {.how = how, .root = field, .err = err};

    return resolve_root(&walk, tree);
}

/* Any text does: whether a reference is well-formed does not depend on its value. */
static void stand_ins(struct variables *variables)
{
    for (size_t i = 0; variable_names[i]; i++)
        variables->items[variables->count++] =
            (struct variable){.name = variable_names[i], .value = span_of("x")};
}

void substitute_check(const json_t *tree, const char *field, struct findings *findings)
{
    struct variables variables = {.count = 0};
    struct substitution how = {.variables = &variables, .blueprint = ""};
    struct error err = {0};
    struct walk walk = {.how = &how, .root = field, .findings = findings, .err = &err};

    stand_ins(&variables);
    json_decref(resolve_root(&walk, tree));
}
