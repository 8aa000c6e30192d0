/*
 * Writes what the webhook knows of the kinds: one JSON object, {path: facts}, in the form of
 * flat() in manifests/schema/model.py. A member that is refused whatever it holds is left out.
 */
#include <stdio.h>

#include "api/hook_template.h"
#include "api/syntax.h"
#include "api/validate_shared.h"
#include "base/auto.h"
#include "base/tree.h"

static const struct {
    bool (*check)(struct span text, struct error *err);
    const char *name;
} checks[] = {
    {syntax_label, "label"},
    {syntax_subdomain, "subdomain"},
    {syntax_label_key, "label_key"},
    {syntax_label_value, "label_value"},
    {syntax_env_name, "env_name"},
    {syntax_data_key, "data_key"},
    {syntax_port_name, "port_name"},
    {syntax_header_name, "header_name"},
    {syntax_header_value, "header_value"},
    {syntax_absolute_path, "absolute_path"},
    {syntax_relative_path, "relative_path"},
    {syntax_line, "line"},
    {syntax_host, "host"},
    {syntax_snapshot, "snapshot"},
    {syntax_time, "time"},
    {syntax_base64, "base64"},
    {syntax_image, "image"},
    {syntax_schedule, "schedule"},
    {syntax_duration, "duration"},
    {syntax_duration_positive, "duration_positive"},
    {syntax_within, "within"},
    {syntax_bucket, "bucket"},
    {syntax_prefix, "prefix"},
    {syntax_s3_endpoint, "s3_endpoint"},
    {syntax_rest_url, "rest_url"},
    {hook_template_check, "hook_template"},
};

static const char *const shapes[] = {
    [ANY] = "anything",      [STRING] = "string", [BOOLEAN] = "boolean", [INTEGER] = "integer",
    [QUANTITY] = "quantity", [PORT] = "port",     [OBJECT] = "object",
};

/* "?" is a check that has no name outside its file. */
static const char *check_name(const struct member *member)
{
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        if (checks[i].check == member->check)
            return checks[i].name;
    return member->check ? "?" : "";
}

static json_t *words(const struct member *member)
{
    json_t *list = json_array();

    for (size_t i = 0; member->words && member->words[i]; i++)
        tree_push_text(list, member->words[i]);
    return list;
}

static json_t *facts(const struct member *member)
{
    json_t *found = json_object();
    bool doubt = member->flags & DOUBTFUL, unique = member->flags & UNIQUE;

    tree_put_text(found, "type", shapes[member->shape]);
    tree_put_new(found, "list", json_boolean(member->flags & LIST));
    tree_put_new(found, "map", json_boolean(member->flags & MAP));
    tree_put_new(found, "required", json_boolean(member->flags & REQUIRED));
    tree_put_new(found, "some", json_boolean((member->flags & (REQUIRED | EMPTY_OK)) == REQUIRED));
    tree_put_text(found, "check", check_name(member));
    tree_put_new(found, "words", words(member));
    tree_put_new(found, "least", json_integer(member->min));
    tree_put_new(found, "most", json_integer(member->max));
    tree_put_new(found, "fewest", json_integer(member->at_least));
    tree_put_new(found, "many", json_integer(member->at_most));
    tree_put_text(found, "key", unique && !doubt ? (member->key ? member->key : "=") : "");
    return found;
}

static void walk(json_t *out, const struct schema *schema, struct text *path)
{
    size_t mark = path->length;

    for (; schema; schema = schema->inlined) {
        if (schema->open) {
            text_puts(path, ".*");
            tree_put_new(out, text_get(path), json_object());
            path->length = mark;
        }
        for (size_t i = 0; i < schema->count; i++) {
            const struct member *member = &schema->members[i];

            if (member->refused)
                continue;
            text_addf(path, ".%s", member->name);
            tree_put_new(out, text_get(path), facts(member));
            if (member->flags & (LIST | MAP))
                text_puts(path, member->flags & LIST ? "[]" : "{}");
            if (member->shape == OBJECT)
                walk(out, member->of, path);
            path->length = mark;
            path->data[mark] = '\0';
        }
    }
}

static const struct {
    const char *kind;
    const struct schema *spec;
} kinds[] = {
    {"BackupBlueprint", &blueprint_schema},
    {"BackupConfiguration", &configuration_schema},
    {"BackupSession", &session_schema},
    {"RestoreSession", &restore_schema},
    {"Repository", &repository_schema},
    {"Function", &function_schema},
    {"Task", &task_schema},
    {"AppBinding", &app_schema},
};

int main(void)
{
    AUTO(json) json_t *out = json_object();

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        AUTO(text) struct text path = {0};

        text_addf(&path, "%s.spec", kinds[i].kind);
        walk(out, kinds[i].spec, &path);
    }
    return json_dumpf(out, stdout, JSON_INDENT(1)) == 0 ? 0 : 2;
}
