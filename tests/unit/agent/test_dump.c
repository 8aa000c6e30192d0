#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/dump.h"
#include "agent/memory.h"
#include "base/auto.h"
#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define FOLDER "/stash-tmp/stash-interim-volume/data"

static const struct {
    const char *what, *text, *path, *error;
} rows[] = {
    {"no output.json", NULL, FOLDER, ""},
    {"nothing in it", "{}", FOLDER, ""},
    {"a good step", "{'targetStatus':{'stats':[{'hostname':'host-0','phase':'Succeeded'}]}}",
     FOLDER, ""},
    {"one that names its folder", "{'dump':{'path':'/stash-tmp/data'}}", "/stash-tmp/data", ""},
    {"on the interim volume", "{'dump':{'path':'/stash-interim-volume/data'}}",
     "/stash-interim-volume/data", ""},
    {"a failure", "{'targetStatus':{'stats':[{'phase':'Failed','error':'no route'}]}}", FOLDER,
     "no route"},
    {"an error alone", "{'targetStatus':{'stats':[{'error':'no route'}]}}", FOLDER, "no route"},
    {"a failure without words", "{'targetStatus':{'stats':[{'phase':'Failed'}]}}", FOLDER,
     "it does not say why"},
    {"the first of two", "{'targetStatus':{'stats':[{},{'error':'a'},{'error':'b'}]}}", FOLDER,
     "a"},
    {"odd shapes", "{'targetStatus':7,'dump':[]}", FOLDER, ""},
    {"no JSON", "'", NULL, "no JSON"},
    {"a list", "[]", NULL, "no JSON"},
    {"the identity of the pod", "{'dump':{'path':'/var/run/secrets/kubernetes.io/serviceaccount'}}",
     NULL, "lies below"},
    {"out of it", "{'dump':{'path':'/stash-tmp/../etc'}}", NULL, "lies below"},
    {"out of it at last", "{'dump':{'path':'/stash-tmp/..'}}", NULL, "lies below"},
    {"all of it", "{'dump':{'path':'/stash-tmp'}}", NULL, "lies below"},
    {"its like", "{'dump':{'path':'/stash-tmp2/x'}}", NULL, "lies below"},
    {"relative", "{'dump':{'path':'data'}}", NULL, "lies below"},
};

START_TEST(what_steps_say_is_read)
    {
        AUTO(free)
        char *text = rows[_i].text ? text_dup(rows[_i].text, strlen(rows[_i].text)) : NULL;
        AUTO(dump) struct dump dump = {0};
        struct error err = {.message = ""};

        for (char *c = text; c && *c; c++)
            *c = *c == '\'' ? '"' : *c;

        bool good = dump_read(span_of(text), FOLDER, "/stash-tmp", &dump, &err);

        ck_assert_msg(good == (rows[_i].path != NULL), "%s: %s", rows[_i].what, err.message);
        if (good) {
            ck_assert_str_eq(dump.error, rows[_i].error);
            ck_assert(dump.error[0] ? !dump.path : strcmp(dump.path, rows[_i].path) == 0);
        } else {
            ck_assert_msg(strstr(err.message, rows[_i].error) != NULL, "%s", err.message);
        }
    }
END_TEST

static char folder[64];

static void setup(void)
{
    strcpy(folder, "/tmp/granary-dump-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void teardown(void)
{
    scratch_remove(folder);
}

/* What a step tells is what the last one sees. */
START_TEST(a_dump_goes_from_step_to_step)
    {
        AUTO(free) char *output = text_format("%s/output", folder);
        AUTO(free) char *data = text_format("%s/data", folder);
        AUTO(free) char *file = text_format("%s/data/snapshot.db", folder);
        struct error err = {.message = ""};
        json_t *told = json_object();
        AUTO(dump) struct dump empty = {0};
        AUTO(dump) struct dump full = {0};
        AUTO(dump) struct dump failed = {0};

        tree_put_text(told, "path", data);
        tree_put_new(told, "etcd", json_row("{'revision':7}"));
        ck_assert_int_eq(mkdir(data, 0700), 0);
        ck_assert(dump_tell_new(output, "host-0", NULL, told, &err));
        dump_look(output, "/elsewhere", folder, &empty);
        ck_assert_msg(strstr(empty.error, "left nothing") != NULL, "%s", empty.error);
        close(open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        dump_look(output, "/elsewhere", folder, &full);
        ck_assert_str_eq(full.error, "");
        ck_assert_str_eq(full.path, data);
        ck_assert_int_eq(tree_int(tree_get(full.facts, "etcd"), "revision", 0), 7);
        ck_assert(dump_tell_new(output, "host-0", "no route", NULL, &err));
        dump_look(output, data, folder, &failed);
        ck_assert_str_eq(failed.error, "no route");
    }
END_TEST

SUITE(agent_dump)
{
    tcase_add_checked_fixture(tests, setup, teardown);
    suite_rows(tests, what_steps_say_is_read, rows);
    tcase_add_test(tests, a_dump_goes_from_step_to_step);
}
