#include "api/task.h"

#include <stdlib.h>
#include <string.h>

#include "api/expand.h"
#include "api/keys.h"
#include "api/names.h"
#include "api/task_variables.h"
#include "api/validate.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/tree.h"

/* Steps of a Task, as its CRD has it; bytes of a parameter's value, likewise. */
#define STEPS_MAX 32u
#define VALUE_MAX_BYTES (32u << 10)

/* Levels of a Function: what a CRD describes has some ten. */
#define DEPTH_MAX 32u

/* Built-ins, and the parameters of a step and of an invoker. */
#define SCOPE_MAX (64u + 2 * PARAMS_MAX)

/* ---- what a string may name ---- */

/* Variables in the order of their precedence. Texts are borrowed. */
struct scope {
    struct variable list[SCOPE_MAX];
    size_t count;
};

static bool has(const struct scope *scope, const char *name)
{
    for (size_t i = 0; i < scope->count; i++)
        if (!strcmp(scope->list[i].name, name))
            return true;
    return false;
}

static void put(struct scope *scope, const char *name, struct span value, const char *origin)
{
    if (scope->count < SCOPE_MAX && !has(scope, name))
        scope->list[scope->count++] = (struct variable){name, value, origin};
}

/* Built-in variables: some of their values are an owner's. */
static const char from_objects[] = "built in";

static void put_built_in(struct scope *scope, const json_t *variables)
{
    const char *name;
    const json_t *value;

    tree_each (variables, name, value)
        if (json_is_string(value))
            put(scope, name, tree_value(value), from_objects);
}

static void put_params(struct scope *scope, const json_t *params, const char *origin)
{
    const json_t *param;
    size_t i;

    tree_items (params, i, param) {
        const char *name = tree_text(param, "name");

        if (i < PARAMS_MAX && name)
            put(scope, name, tree_span(param, "value"), origin);
    }
}

/* ---- one object with its strings replaced ---- */

/* Whose values a string may hold. */
enum reach { REACH_BUILT_IN, REACH_ALL };

struct walk {
    const struct task_request *request;
    const char *object; /* "Function pvc-backup", for messages */
    const struct scope *scopes[2];
    json_t *used; /* set of names; edited */
    struct findings *findings;
};

struct place {
    struct walk *walk;
    struct text *field;
    enum reach reach;
    bool is_image, is_expanded; /* the kubelet reads $(NAME) in it */
    unsigned depth;
};

/* A value decides at most which tag of an image: its registry and name are the administrator's. */
static bool is_tag(struct span value)
{
    for (size_t i = 0; i < value.length; i++) {
        char c = value.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

        if (!letter && !(c >= '0' && c <= '9') && c != '_' && (i == 0 || (c != '.' && c != '-')))
            return false;
    }
    return value.length <= 128;
}

/* What was used in one string. */
struct using
{
    struct walk *walk;
    const struct variable *bad; /* no tag, in an image */
};

static void note_use(void *context, const struct variable *variable)
{
    struct using *using = context;

    tree_put_new(using->walk->used, variable->name, json_true());
    if (variable->origin == from_objects && strncmp(variable->name, "STASH_", 6) != 0 &&
        strncmp(variable->name, "GRANARY_", 8) != 0 && !is_tag(variable->value))
        using->bad = variable;
}

/* A value holds no references for the kubelet: "$$" is one "$" there. */
static struct scope *doubled(const struct scope *scope, struct text *texts)
{
    struct scope *copy = text_alloc(sizeof *copy);

    *copy = *scope;
    for (size_t i = 0; i < scope->count; i++) {
        struct span value = scope->list[i].value;

        if (!value.length || !memchr(value.data, '$', value.length))
            continue;
        for (size_t k = 0; k < value.length; k++) {
            if (value.data[k] == '$')
                text_putc(&texts[i], '$');
            text_putc(&texts[i], value.data[k]);
        }
        copy->list[i].value = (struct span){texts[i].data, texts[i].length};
    }
    return copy;
}

static bool expand_in(const struct place *place, struct span in, struct text *out,
                      struct using *using, struct error *err)
{
    const struct scope *scope = place->walk->scopes[place->reach];
    struct text texts[SCOPE_MAX] = {{0}};
    AUTO(free) struct scope *copy = place->is_expanded ? doubled(scope, texts) : NULL;
    struct expanding how = {.further = (copy ? copy : scope)->list,
                            .further_count = scope->count,
                            .names = task_variable_names,
                            .absent = "has no value here",
                            .value_max_bytes = 2 * VALUE_MAX_BYTES,
                            .used = note_use,
                            .context = using};
    bool done = expand_text(out, in, &how, err);

    for (size_t i = 0; i < SCOPE_MAX; i++)
        text_done(&texts[i]);
    return done;
}

static void tell(const struct place *place, const char *message)
{
    findings_add(place->walk->findings, FINDING_ERROR, REASON_INVALID, text_get(place->field),
                 "%s: %s", place->walk->object, message);
}

/* A parameter that may not be used here is not unknown. */
static void tell_refused(const struct place *place, struct span in, struct error *err)
{
    struct place all = *place;
    AUTO(text) struct text ignored = {0};
    struct using using = {.walk = place->walk};
    struct error other;

    all.reach = REACH_ALL;
    if (place->reach == REACH_BUILT_IN && expand_in(&all, in, &ignored, &using, &other))
        error_set(err, ERROR_FORBIDDEN, "a parameter of the invoker reaches args and env only");
    tell(place, err->message);
}

static json_t *resolve_string(const struct place *place, const json_t *value)
{
    struct span in = tree_value(value);
    AUTO(text) struct text out = {0};
    struct using using = {.walk = place->walk};
    struct error err = {0};

    if (!memchr(in.data, '$', in.length))
        return tree_share(value);
    if (!expand_in(place, in, &out, &using, &err)) {
        tell_refused(place, in, &err);
        return tree_share(value);
    }
    if (place->is_image && using.bad) {
        (void)error_set(&err, ERROR_FORBIDDEN, "the value of %s is no tag of an image",
                        using.bad->name);
        tell(place, err.message);
        return tree_share(value);
    }
    return json_stringn(text_get(&out), out.length);
}

static json_t *resolve(const struct place *place, const json_t *value);

/* The members of these lists are read by the program; in all others by Kubernetes. */
static struct place below(const struct place *up, const char *key)
{
    struct place place = *up;

    place.depth++;
    if (up->depth == 0)
        place.is_image = !strcmp(key, "image");
    if (up->depth == 0 && (!strcmp(key, "args") || !strcmp(key, "command")))
        place.is_expanded = true;
    if (up->depth == 0 && !strcmp(key, "args"))
        place.reach = REACH_ALL;
    return place;
}

/* runtimeSettings.env[].value */
static bool is_env_value(const struct place *place, const char *key)
{
    const char *field = text_get(place->field);

    return !strcmp(key, "value") && !strncmp(field, "spec.runtimeSettings.env[", 25) &&
           place->depth == 3;
}

static json_t *resolve_object(const struct place *up, const json_t *object)
{
    json_t *made = json_object();
    size_t length = up->field->length;
    const char *key;
    const json_t *value;

    tree_each (object, key, value) {
        struct place place = below(up, key);

        if (is_env_value(up, key)) {
            place.reach = REACH_ALL;
            place.is_expanded = true;
        }
        text_addf(up->field, ".%s", key);
        tree_put_new(made, key, resolve(&place, value));
        up->field->length = length;
        up->field->data[length] = '\0';
    }
    return made;
}

static json_t *resolve_list(const struct place *up, const json_t *list)
{
    json_t *made = json_array();
    size_t length = up->field->length, i;
    const json_t *value;

    tree_items (list, i, value) {
        struct place place = *up;

        place.depth++;
        text_addf(up->field, "[%zu]", i);
        tree_push_new(made, resolve(&place, value));
        up->field->length = length;
        up->field->data[length] = '\0';
    }
    return made;
}

static json_t *resolve(const struct place *place, const json_t *value)
{
    if (json_is_string(value))
        return resolve_string(place, value);
    if (place->depth == DEPTH_MAX) {
        tell(place, "more levels than any Function has");
        return json_null();
    }
    if (json_is_object(value))
        return resolve_object(place, value);
    if (json_is_array(value))
        return resolve_list(place, value);
    return tree_share(value);
}

static json_t *resolve_at(struct walk *walk, const char *root, const json_t *value)
{
    AUTO(text) struct text field = {0};
    struct place place = {.walk = walk, .field = &field};

    text_puts(&field, root);
    return resolve(&place, value);
}

/* Once its values are in it, it is judged like one that somebody wrote. */
static void judge(struct walk *walk, const char *kind, const char *name, const json_t *spec)
{
    AUTO(findings) struct findings found = {0};
    AUTO(json) json_t *object = json_object();
    json_t *metadata = json_object();
    struct validation validation = {.object = object};

    tree_put_text(metadata, "name", name);
    tree_put_text(object, "apiVersion", API_STASH_V1BETA1);
    tree_put_text(object, "kind", kind);
    tree_put_new(object, "metadata", metadata);
    tree_put_new(object, "spec", tree_share(spec));
    validate_object(&validation, &found);
    for (size_t i = 0; i < found.count; i++)
        if (found.items[i].level == FINDING_ERROR)
            findings_add(walk->findings, FINDING_ERROR, found.items[i].reason, found.items[i].field,
                         "%s: %s", walk->object, found.items[i].message);
}

/* ---- containers ---- */

static char *container_name(const char *function, size_t index)
{
    AUTO(free) char *name = text_format("%s-%zu", function, index);

    for (char *c = name; *c; c++)
        if (*c == '.')
            *c = '-';
    return name_fit(name, NAME_MAX_CHARS);
}

static json_t *container_of(const char *name, size_t index, const json_t *spec, bool last)
{
    static const char *const plain[] = {"image", "command",      "args",          "workingDir",
                                        "ports", "volumeMounts", "volumeDevices", NULL};
    static const char *const chosen[] = {"resources", "env", "envFrom", "securityContext", NULL};
    static const char *const watched[] = {"livenessProbe", "readinessProbe", "lifecycle", NULL};
    const json_t *settings = tree_get(spec, "runtimeSettings");
    AUTO(free) char *own = container_name(name, index);
    json_t *made = json_object();

    tree_put_text(made, "name", own);
    tree_put_text(made, "imagePullPolicy", "IfNotPresent");
    for (size_t i = 0; plain[i]; i++)
        tree_put_new(made, plain[i], tree_share(tree_get(spec, plain[i])));
    for (size_t i = 0; chosen[i]; i++)
        tree_put_new(made, chosen[i], tree_share(tree_get(settings, chosen[i])));
    for (size_t i = 0; last && watched[i]; i++) /* an init container may have none of these */
        tree_put_new(made, watched[i], tree_share(tree_get(settings, watched[i])));
    return made;
}

static const json_t *function_of(const json_t *functions, const char *name)
{
    const json_t *function;
    size_t i;

    tree_items (functions, i, function) {
        const char *own = tree_text(tree_get(function, "metadata"), "name");

        if (own && !strcmp(own, name))
            return function;
    }
    return NULL;
}

static struct walk walk_of(const struct task_request *request, json_t *used,
                           struct findings *findings, const char *object,
                           const struct scope *built_in, const struct scope *all)
{
    return (struct walk){.request = request,
                         .object = object,
                         .scopes = {built_in, all},
                         .used = used,
                         .findings = findings};
}

/* The image first, since ${ADDON_IMAGE} is what that is. */
static json_t *function_spec(const struct walk *walk, const json_t *function)
{
    const json_t *spec = tree_get(function, "spec");
    struct walk first = *walk, second = *walk;
    AUTO(json) json_t *only = json_object();

    tree_put_new(only, "image", tree_share(tree_get(spec, "image")));

    AUTO(json) json_t *image = resolve_at(&first, "spec", only);
    AUTO(free) struct scope *built_in = text_alloc(sizeof *built_in);
    AUTO(free) struct scope *all = text_alloc(sizeof *all);
    AUTO(json) json_t *rest = json_is_object(spec) ? json_copy((json_t *)spec) : json_object();

    *built_in = *walk->scopes[REACH_BUILT_IN];
    *all = *walk->scopes[REACH_ALL];
    put(built_in, "ADDON_IMAGE", tree_span(image, "image"), "the Function");
    put(all, "ADDON_IMAGE", tree_span(image, "image"), "the Function");
    second.scopes[REACH_BUILT_IN] = built_in;
    second.scopes[REACH_ALL] = all;
    json_object_del(rest, "image");

    json_t *made = resolve_at(&second, "spec", rest);

    tree_put_new(made, "image", tree_share(tree_get(image, "image")));
    return made;
}

static void resolve_function(const struct walk *walk, const json_t *function, size_t index,
                             bool last, json_t *containers)
{
    const char *name = tree_text(tree_get(function, "metadata"), "name");
    AUTO(free) char *object = text_format("Function %s", name);
    struct walk inner = *walk;

    inner.object = object;

    AUTO(json) json_t *spec = function_spec(&inner, function);

    judge(&inner, "Function", name, spec);
    if (!tree_span(spec, "image").length)
        findings_add(walk->findings, FINDING_ERROR, REASON_REQUIRED, "spec.image",
                     "%s: has no image, so there is nothing to run", object);
    tree_push_new(containers, container_of(name, index, spec, last));
}

static void missing_function(const struct walk *walk, const char *name, size_t index)
{
    AUTO(free) char *field = text_format("spec.steps[%zu].name", index);

    findings_add(walk->findings, FINDING_ERROR, REASON_NOT_FOUND, field,
                 "%s: there is no Function %.100s", walk->object, name);
}

/* The step's parameters may name built-in variables; they are less than those, and than the
 * invoker's. */
static void resolve_step(const struct walk *walk, const json_t *step, size_t index, bool last,
                         json_t *containers)
{
    const char *name = tree_text(step, "name");
    const json_t *function = name ? function_of(walk->request->functions, name) : NULL;
    AUTO(free) char *root = text_format("spec.steps[%zu].params", index);
    AUTO(free) struct scope *built_in = text_alloc(sizeof *built_in);
    AUTO(free) struct scope *all = text_alloc(sizeof *all);
    struct walk own = *walk;

    if (!function) {
        missing_function(walk, name ? name : "", index);
        return;
    }

    AUTO(json) json_t *params = resolve_at(&own, root, tree_get(step, "params"));

    *built_in = *walk->scopes[REACH_BUILT_IN];
    put_params(built_in, params, "the Task");
    *all = *walk->scopes[REACH_ALL];
    put_params(all, params, "the Task");
    own.scopes[REACH_BUILT_IN] = built_in;
    own.scopes[REACH_ALL] = all;
    resolve_function(&own, function, index, last, containers);
}

/* ---- the whole ---- */

static void judge_params(const struct task_request *request, const json_t *used, bool resolved,
                         struct findings *findings)
{
    const json_t *param;
    size_t i;

    if (json_array_size(request->params) > PARAMS_MAX)
        findings_add(findings, FINDING_ERROR, REASON_TOO_MANY, "spec.task.params",
                     "more than %u parameters", PARAMS_MAX);
    tree_items (request->params, i, param) {
        const char *name = tree_text(param, "name");
        AUTO(free) char *field = text_format("spec.task.params[%zu].name", i);

        if (!name)
            continue;
        if (task_variable_is_reserved(name))
            findings_add(findings, FINDING_ERROR, REASON_FORBIDDEN, field,
                         "%s is set by granary; a parameter can not change it", name);
        else if (resolved && !tree_get(used, name))
            findings_add(findings, FINDING_WARNING, REASON_INVALID, field,
                         "no Function of the Task reads the parameter %.100s", name);
    }
}

static size_t steps_of(const json_t *task, struct findings *findings, const char *object)
{
    size_t steps = json_array_size(tree_at(task, "spec.steps"));

    if (steps == 0 || steps > STEPS_MAX)
        findings_add(findings, FINDING_ERROR, steps ? REASON_TOO_MANY : REASON_REQUIRED,
                     "spec.steps", "%s: 1 to %u steps are expected", object, STEPS_MAX);
    return steps > STEPS_MAX ? 0 : steps;
}

static void resolve_volumes(struct walk *walk, struct task_made *made)
{
    const json_t *task = walk->request->task;
    const json_t *volumes = tree_member(tree_get(task, "spec"), "volumes", JSON_ARRAY);
    AUTO(json) json_t *spec = json_object();

    made->volumes = volumes ? resolve_at(walk, "spec.volumes", volumes) : json_array();
    tree_put_new(spec, "steps", tree_share(tree_at(task, "spec.steps")));
    tree_put_new(spec, "volumes", tree_share(made->volumes));
    judge(walk, "Task", tree_text(tree_get(task, "metadata"), "name"), spec);
}

bool task_resolve(const struct task_request *request, struct task_made *made,
                  struct findings *findings)
{
    const char *name = tree_text(tree_get(request->task, "metadata"), "name");
    const json_t *steps = tree_at(request->task, "spec.steps");
    AUTO(free) char *object = text_format("Task %s", name ? name : "");
    AUTO(free) struct scope *built_in = text_alloc(sizeof *built_in);
    AUTO(free) struct scope *all = text_alloc(sizeof *all);
    AUTO(json) json_t *used = json_object();
    struct walk walk = walk_of(request, used, findings, object, built_in, all);
    size_t before = findings_count(findings, FINDING_ERROR);
    size_t count = steps_of(request->task, findings, object);

    built_in->count = 0;
    put_built_in(built_in, request->variables);
    *all = *built_in;
    put_params(all, request->params, "a parameter of the invoker");
    made->containers = json_array();
    for (size_t i = 0; i < count; i++)
        resolve_step(&walk, json_array_get(steps, i), i, i + 1 == count, made->containers);
    resolve_volumes(&walk, made);
    judge_params(request, used, findings_count(findings, FINDING_ERROR) == before, findings);
    return findings_count(findings, FINDING_ERROR) == before;
}

void task_made_done(struct task_made *made)
{
    json_decref(made->containers);
    json_decref(made->volumes);
    *made = (struct task_made){0};
}

/* ---- which Task ---- */

static const json_t *addon_task(const json_t *app, bool restore)
{
    const json_t *addon = tree_at(app, "spec.parameters.stash.addon");

    return tree_get(addon, restore ? "restoreTask" : "backupTask");
}

char *task_name(const json_t *invoker, const json_t *app, bool restore, const json_t *variables,
                struct error *err)
{
    struct span own = tree_span(tree_at(invoker, "spec.task"), "name");
    AUTO(free) struct scope *scope = text_alloc(sizeof *scope);
    AUTO(text) struct text name = {0};

    if (!own.length)
        own = tree_span(addon_task(app, restore), "name");
    scope->count = 0;
    put_built_in(scope, variables);

    struct expanding how = {.further = scope->list,
                            .further_count = scope->count,
                            .names = task_variable_names,
                            .absent = "has no value here"};

    if (!expand_text(&name, own, &how, err)) {
        error_wrap(err, "spec.task.name");
        return NULL;
    }
    if (name.length && !name_is_subdomain((struct span){name.data, name.length})) {
        error_set(err, ERROR_INVALID, "spec.task.name: \"%.100s\" is no name of a Task",
                  text_get(&name));
        return NULL;
    }
    return text_take(&name);
}

json_t *task_params(const json_t *invoker, const json_t *app, bool restore)
{
    const json_t *own = tree_member(tree_at(invoker, "spec.task"), "params", JSON_ARRAY);
    const json_t *further = tree_get(addon_task(app, restore), "params"), *param;
    json_t *params = own ? tree_copy(own) : json_array();
    size_t i;

    tree_items (further, i, param) {
        const char *name = tree_text(param, "name");

        if (name && !tree_named(params, name))
            tree_push_new(params, tree_copy(param));
    }
    return params;
}

/* Numbers between dots, as far as they go: 15.3-alpine is 15, 3. */
#define VERSION_PARTS 4

struct version {
    long part[VERSION_PARTS];
};

/* What stands behind the first "-" that is followed by a digit; the length of all before. */
static bool version_in(const char *name, struct version *version, size_t *stem)
{
    const char *dash = name;

    while ((dash = strchr(dash, '-')) && !(dash[1] >= '0' && dash[1] <= '9'))
        dash++;
    if (!dash)
        return false;
    *version = (struct version){{0}};
    *stem = (size_t)(dash - name);

    const char *at = dash + 1;

    for (size_t i = 0; i < VERSION_PARTS && *at >= '0' && *at <= '9'; i++) {
        for (; *at >= '0' && *at <= '9'; at++)
            if (version->part[i] < 100000000)
                version->part[i] = version->part[i] * 10 + (*at - '0');
        at += *at == '.';
    }
    return true;
}

static int compare(const struct version *a, const struct version *b)
{
    for (size_t i = 0; i < VERSION_PARTS; i++)
        if (a->part[i] != b->part[i])
            return a->part[i] < b->part[i] ? -1 : 1;
    return 0;
}

/* Tools read what older servers have, not what newer ones have: of another major version only a
 * newer one will do. */
static bool is_fit(const struct version *has, const struct version *wanted)
{
    return has->part[0] == wanted->part[0] || compare(has, wanted) > 0;
}

/* In how many parts they agree, from the first on. */
static size_t agreement(const struct version *a, const struct version *b)
{
    size_t parts = 0;

    while (parts < VERSION_PARTS && a->part[parts] == b->part[parts])
        parts++;
    return parts;
}

/* The nearer relative; then one that is not older, then the one that is less far away. */
static bool is_better(const struct version *a, const struct version *b,
                      const struct version *wanted)
{
    size_t one = agreement(a, wanted), other = agreement(b, wanted);
    bool older = compare(a, wanted) < 0, other_older = compare(b, wanted) < 0;

    if (one != other)
        return one > other;
    if (older != other_older)
        return other_older;
    return older ? compare(a, b) > 0 : compare(a, b) < 0;
}

const char *task_nearest(const char *name, const json_t *tasks)
{
    struct version wanted, best = {{0}}, has;
    size_t stem, own, i;
    const char *found = NULL;
    const json_t *task;

    if (!version_in(name, &wanted, &stem))
        return NULL;
    tree_items (tasks, i, task) {
        const char *other = tree_text(tree_get(task, "metadata"), "name");

        if (!other || !version_in(other, &has, &own) || own != stem ||
            strncmp(other, name, stem) != 0 || !is_fit(&has, &wanted))
            continue;
        if (!found || is_better(&has, &best, &wanted)) {
            found = other;
            best = has;
        }
    }
    return found;
}
