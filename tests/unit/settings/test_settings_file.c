#include "settings/file.h"

#include <sys/stat.h>

#include "base/auto.h"
#include "base/limits.h"
#include "base/text.h"
#include "tests/unit/kube/folder.h"
#include "tests/unit/suite.h"

static const struct {
    const char *content;
    const char *image; /* NULL: refused */
    const char *error; /* behind the path */
} rows[] = {
    {"", "granary-agent:" GRANARY_VERSION, NULL},
    {"# nothing\n", "granary-agent:" GRANARY_VERSION, NULL},
    {"agent:\n  image: registry/a:1 # ours\nenforcement: Deny\n", "registry/a:1", NULL},
    {"{\"agent\": {\"image\": \"a\"}}", "a", NULL},
    {"agent:\n  image: a\n  imagee: b\n", NULL, ": agent.imagee: there is no such setting"},
    {"agent: {image: a}\n---\nagent: {image: b}\n", NULL, ": 3:1: expected one document"},
    {"agent: {image: a}\nagent: {image: b}\n", NULL, ": 2:1: "},
    {"agent: [\n", NULL, ": "},
    {"- a\n", NULL, ": expected settings by name"},
    {"enforcement: no\n", NULL, ": enforcement: expected Warn or Deny"},
};

START_TEST(files)
    {
        AUTO(folder) struct folder folder = folder_make();
        AUTO(free) char *path = folder_path(&folder, "settings.yaml");
        AUTO(settings) struct settings settings = {0};
        struct error err = {0};

        folder_write(&folder, "settings.yaml", rows[_i].content);
        ck_assert_msg(settings_read(&settings, path, &err) == (rows[_i].image != NULL), "%s",
                      err.message);
        if (rows[_i].image) {
            ck_assert_str_eq(settings.agent_image, rows[_i].image);
            return;
        }
        ck_assert_int_eq(strncmp(err.message, path, strlen(path)), 0);
        ck_assert_msg(strstr(err.message, rows[_i].error) == err.message + strlen(path), "%s",
                      err.message);
    }
END_TEST

/* Y7 */
START_TEST(what_is_no_file)
    {
        AUTO(folder) struct folder folder = folder_make();
        AUTO(free) char *path = folder_path(&folder, "settings.yaml");
        AUTO(settings) struct settings settings = {0};
        AUTO(text) struct text large = {0};
        struct error err = {0};

        ck_assert(!settings_read(&settings, path, &err));
        ck_assert_int_eq(err.code, ERROR_NOT_FOUND);
        ck_assert(!settings_read(&settings, folder.path, &err));
        ck_assert_int_eq(mkfifo(path, 0600), 0);
        ck_assert(!settings_read(&settings, path, &err));
        folder_remove(&folder, "settings.yaml");

        while (large.length <= YAML_MAX_BYTES)
            text_puts(&large, "# a comment\n");
        folder_write(&folder, "settings.yaml", text_get(&large));
        ck_assert(!settings_read(&settings, path, &err));
        ck_assert_int_eq(err.code, ERROR_TOO_LARGE);
        ck_assert_ptr_null(settings.agent_image);
    }
END_TEST

SUITE(settings_file)
{
    suite_rows(tests, files, rows);
    tcase_add_test(tests, what_is_no_file);
}
