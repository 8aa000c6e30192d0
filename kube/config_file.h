#pragma once

#include <jansson.h>

#include "base/error.h"
#include "base/yaml.h"
#include "kube/config.h"

/** One kubeconfig file. */
struct config_file {
    char *path;       /* owned; as it was named */
    char *folder;     /* owned; what relative paths in it begin at */
    struct yaml yaml; /* its only document, or none when it is empty */
};

/** The files of one configuration: of two that say the same thing, the first counts. */
struct config_files {
    struct config_file *items;
    size_t count;
};

/** A part of a file, and how a message names it: "users[1].user". {0} is none. */
struct config_part {
    const struct config_file *file;
    const json_t *value; /* borrowed */
    char field[128];
};

/**
 * Reads the files that count. Files of a list may be missing, but not all.
 *
 * @param path   NULL: what $KUBECONFIG lists, else ~/.kube/config.
 * @param files  {0} before. Release with config_files_done().
 */
bool config_files_read(const char *path, struct config_files *files, struct error *err) MUST_CHECK;

void config_files_done(struct config_files *files);

static inline void auto_config_files(struct config_files *files)
{
    config_files_done(files);
}

/** The first top-level string of that name; NULL. Borrowed. False: one of another type. */
bool config_files_text(const struct config_files *files, const char *key, const char **text,
                       struct error *err) MUST_CHECK;

/**
 * Finds an entry by name.
 *
 * @param list    "contexts"; the entry's own member is called `member`: "context".
 * @param part    Set on success; its value is NULL when the entry has no such member.
 * @return        False: ERROR_NOT_FOUND with what was perhaps meant; ERROR_INVALID.
 */
bool config_files_find(const struct config_files *files, const char *list, const char *member,
                       const char *name, struct config_part *part, struct error *err) MUST_CHECK;

/** Fails with "file: field.key: text". */
bool config_fault(const struct config_part *part, const char *key, struct error *err,
                  const char *text);

/** A string member, NULL when absent, null or "". Borrowed. False: of another type. */
bool config_text(const struct config_part *part, const char *key, const char **text,
                 struct error *err) MUST_CHECK;

/** The same as a copy of the caller's; a path: relative ones begin at the file's folder. */
bool config_copy(const struct config_part *part, const char *key, char **text,
                 struct error *err) MUST_CHECK;
bool config_path(const struct config_part *part, const char *key, char **path,
                 struct error *err) MUST_CHECK;

/** A boolean member, false when absent. */
bool config_bool(const struct config_part *part, const char *key, bool *value,
                 struct error *err) MUST_CHECK;
