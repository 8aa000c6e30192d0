#include "settings/store.h"

#include <string.h>

#include "base/auto.h"
#include "tests/unit/kube/folder.h"
#include "tests/unit/suite.h"

static const char *image(struct settings_store *store)
{
    static char text[64];
    AUTO(settings_held) const struct settings *settings = settings_store_get(store);

    snprintf(text, sizeof text, "%s", settings->agent_image);
    return text;
}

/* Each step changes the file or does not, then is looked at. */
static const struct {
    const char *content; /* NULL: as it is; "-": removed */
    enum settings_news news;
    const char *image; /* that is in use then */
    bool good;
} steps[] = {
    {NULL, SETTINGS_SAME, "a", true},
    {"agent: {image: b}\n", SETTINGS_TAKEN, "b", true},
    {NULL, SETTINGS_SAME, "b", true},
    {"agent: {imag: c}\n", SETTINGS_REFUSED, "b", false},
    {NULL, SETTINGS_SAME, "b", false},
    {"-", SETTINGS_REFUSED, "b", false},
    {"agent: {image: \"d\"}\n", SETTINGS_TAKEN, "d", true},
};

/* Over a link that is turned, as the kubelet does it. */
static void change(const struct folder *folder, const char *content, size_t number)
{
    AUTO(free) char *target = text_format("..%zu", number);
    AUTO(free) char *file = text_format("%s/settings.yaml", target);

    folder_make_folder(folder, target);
    if (strcmp(content, "-") != 0)
        folder_write(folder, file, content);
    folder_link(folder, "..tmp", target);
    folder_move(folder, "..tmp", "..data");
}

START_TEST(a_file_is_followed)
    {
        AUTO(folder) struct folder folder = folder_make();
        AUTO(free) char *path = folder_path(&folder, "settings.yaml");
        struct error err = {0};

        change(&folder, "agent: {image: a}\n", 100);
        folder_link(&folder, "settings.yaml", "..data/settings.yaml");

        AUTO(settings_store) struct settings_store *store = settings_store_make(path, false, &err);

        ck_assert_ptr_nonnull(store);
        for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
            if (steps[i].content)
                change(&folder, steps[i].content, i);
            err.message[0] = '\0';
            ck_assert_msg(settings_store_look(store, &err) == steps[i].news, "step %zu: %s", i,
                          err.message);
            ck_assert_int_eq(err.message[0] != '\0', steps[i].news == SETTINGS_REFUSED);
            ck_assert_str_eq(image(store), steps[i].image);
            ck_assert_int_eq(settings_store_facts(store).good, steps[i].good);
        }
        ck_assert_int_eq(settings_store_facts(store).loads, 3);
        ck_assert_int_eq(settings_store_facts(store).errors, 2);
    }
END_TEST

START_TEST(what_is_held_lives_on)
    {
        AUTO(folder) struct folder folder = folder_make();
        AUTO(free) char *path = folder_path(&folder, "settings.yaml");
        struct error err = {0};

        folder_write(&folder, "settings.yaml", "clusterName: one\n");

        AUTO(settings_store) struct settings_store *store = settings_store_make(path, true, &err);
        AUTO(settings_held) const struct settings *held = settings_store_get(store);

        folder_write(&folder, "settings.yaml", "clusterName: another\n");
        ck_assert_int_eq(settings_store_look(store, &err), SETTINGS_TAKEN);
        ck_assert_str_eq(held->cluster_name, "one");
        ck_assert(held->deny);

        AUTO(settings_held) const struct settings *now = settings_store_get(store);

        ck_assert_str_eq(now->cluster_name, "another");
        ck_assert_msg(now->deny, "the command line's choice stays");
    }
END_TEST

START_TEST(what_can_not_begin)
    {
        struct error err = {0};
        AUTO(settings_store)
        struct settings_store *built_in = settings_store_make(NULL, false, &err);

        ck_assert_str_eq(image(built_in), "granary-agent:" GRANARY_VERSION);
        ck_assert_int_eq(settings_store_look(built_in, &err), SETTINGS_SAME);
        ck_assert_ptr_null(settings_store_make("/nonexistent/settings.yaml", false, &err));
        ck_assert_int_eq(err.code, ERROR_NOT_FOUND);
    }
END_TEST

SUITE(settings_store)
{
    tcase_add_test(tests, a_file_is_followed);
    tcase_add_test(tests, what_is_held_lives_on);
    tcase_add_test(tests, what_can_not_begin);
}
