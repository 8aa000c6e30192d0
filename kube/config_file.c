#include "kube/config_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "kube/catalog_files.h"

#define FILES_MAX 64

static void add(struct config_files *files, const struct config_file *file)
{
    files->items = text_realloc(files->items, (files->count + 1) * sizeof *files->items);
    files->items[files->count++] = *file;
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return text_dup(".", 1);
    return text_dup(path, slash == path ? 1 : (size_t)(slash - path));
}

static bool read_one(const char *path, struct config_files *files, struct error *err)
{
    AUTO(secret_text) struct text text = {0};
    AUTO(yaml) struct yaml yaml = {0};
    bool read = catalog_load(path, &text, err);

    if (!read)
        return false;
    read = yaml_read(&yaml, (struct span){text_get(&text), text.length}, NULL, err);
    if (!read)
        return error_wrap(err, "%s", path);
    if (yaml.count > 1)
        return error_set(err, ERROR_INVALID, "%s: more than one document", path);
    if (yaml.count && !json_is_object(yaml.documents[0].value))
        return error_set(err, ERROR_INVALID, "%s: not an object", path);
    add(files, &(struct config_file){
                   .path = text_format("%s", path), .folder = folder_of(path), .yaml = yaml});
    yaml = (struct yaml){0};
    return true;
}

static bool read_list(const char *list, struct config_files *files, struct error *err)
{
    struct span rest = span_of(list), element;
    size_t named = 0;

    while (text_split(&rest, ':', &element)) {
        AUTO(free) char *path = text_dup(element.data, element.length);

        if (!element.length)
            continue;
        if (++named > FILES_MAX)
            return error_set(err, ERROR_TOO_LARGE, "KUBECONFIG: more than %d files", FILES_MAX);
        if (access(path, F_OK) < 0 && errno == ENOENT)
            continue;
        if (!read_one(path, files, err))
            return false;
    }
    return files->count ? true
                        : error_set(err, ERROR_NOT_FOUND, "KUBECONFIG: none of its files exists");
}

bool config_files_read(const char *path, struct config_files *files, struct error *err)
{
    const char *list = getenv("KUBECONFIG"), *home = getenv("HOME");

    if (path)
        return read_one(path, files, err);
    if (list && *list)
        return read_list(list, files, err);
    if (!home || !*home)
        return error_set(err, ERROR_NOT_FOUND, "no kubeconfig: neither KUBECONFIG nor HOME is set");

    AUTO(free) char *usual = text_format("%s/.kube/config", home);

    return read_one(usual, files, err);
}

void config_files_done(struct config_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        free(files->items[i].path);
        free(files->items[i].folder);
        yaml_done(&files->items[i].yaml);
    }
    free(files->items);
    *files = (struct config_files){0};
}

static struct config_part root_of(const struct config_file *file)
{
    return (struct config_part){.file = file,
                                .value = file->yaml.count ? file->yaml.documents[0].value : NULL};
}

bool config_files_text(const struct config_files *files, const char *key, const char **text,
                       struct error *err)
{
    const char *found = NULL;

    for (size_t i = 0; i < files->count && !found; i++) {
        struct config_part root = root_of(&files->items[i]);

        if (!config_text(&root, key, &found, err))
            return false;
    }
    *text = found;
    return true;
}

static const json_t *entries_of(const struct config_file *file, const char *list, struct error *err)
{
    struct config_part root = root_of(file);
    const json_t *entries = tree_get(root.value, list);

    if (entries && !json_is_array(entries) && !json_is_null(entries))
        config_fault(&root, list, err, "is not a list");
    return entries;
}

static bool not_found(const struct config_files *files, const char *list, const char *member,
                      const char *name, struct error *err)
{
    const char *nearest = NULL;
    struct error ignored;

    for (size_t i = 0; i < files->count && !nearest; i++) {
        const json_t *entries = entries_of(&files->items[i], list, &ignored), *entry;
        size_t index;

        tree_items (entries, index, entry) {
            const char *candidates[] = {tree_text(entry, "name"), NULL};
            const char *meant = text_did_you_mean(span_of(name), candidates);

            nearest = meant ? meant : nearest;
        }
    }
    return error_set(err, ERROR_NOT_FOUND, "%s: there is no %s \"%s\"%s%s%s", files->items[0].path,
                     member, name, nearest ? "; did you mean \"" : "", nearest ? nearest : "",
                     nearest ? "\"?" : "");
}

bool config_files_find(const struct config_files *files, const char *list, const char *member,
                       const char *name, struct config_part *part, struct error *err)
{
    for (size_t i = 0; i < files->count; i++) {
        struct error wrong = {0};
        const json_t *entries = entries_of(&files->items[i], list, &wrong), *entry;
        size_t index;

        if (wrong.code) {
            *err = wrong;
            return false;
        }
        tree_items (entries, index, entry) {
            const char *found = tree_text(entry, "name");

            if (!found || strcmp(found, name) != 0)
                continue;
            *part =
                (struct config_part){.file = &files->items[i], .value = tree_get(entry, member)};
            snprintf(part->field, sizeof part->field, "%s[%zu].%s", list, index, member);
            if (part->value && !json_is_object(part->value) && !json_is_null(part->value))
                return config_fault(part, NULL, err, "is not an object");
            return true;
        }
    }
    return not_found(files, list, member, name, err);
}

bool config_fault(const struct config_part *part, const char *key, struct error *err,
                  const char *text)
{
    const char *dot = *part->field && key ? "." : "";

    return error_set(err, ERROR_INVALID, "%s: %s%s%s: %s", part->file->path, part->field, dot,
                     key ? key : "", text);
}

bool config_text(const struct config_part *part, const char *key, const char **text,
                 struct error *err)
{
    const json_t *value = tree_get(part->value, key);
    struct span span = tree_value(value);

    if (value && !json_is_null(value) && !json_is_string(value))
        return config_fault(part, key, err, "is not a string");
    if (span.length && memchr(span.data, '\0', span.length))
        return config_fault(part, key, err, "holds NUL");
    *text = span.length ? span.data : NULL;
    return true;
}

bool config_copy(const struct config_part *part, const char *key, char **text, struct error *err)
{
    const char *found = NULL;

    if (!config_text(part, key, &found, err))
        return false;
    *text = found ? text_dup(found, strlen(found)) : NULL;
    return true;
}

bool config_path(const struct config_part *part, const char *key, char **path, struct error *err)
{
    const char *found = NULL;

    if (!config_text(part, key, &found, err))
        return false;
    if (found && *found != '/')
        *path = text_format("%s/%s", part->file->folder, found);
    else
        *path = found ? text_dup(found, strlen(found)) : NULL;
    return true;
}

bool config_bool(const struct config_part *part, const char *key, bool *value, struct error *err)
{
    const json_t *found = tree_get(part->value, key);

    if (found && !json_is_null(found) && !json_is_boolean(found))
        return config_fault(part, key, err, "is neither true nor false");
    *value = json_is_true(found);
    return true;
}
