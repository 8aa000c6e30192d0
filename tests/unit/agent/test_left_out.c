#include "agent/left_out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/text.h"
#include "tests/unit/suite.h"

/* Of a file of mode 0640 that is ours. %u: our UID, %g: our GID. */
static const struct {
    const char *line;
    unsigned count;
    const char *what; /* that is told of it; NULL: nothing */
} rows[] = {
    {"{\"path\":\"/file\",\"uid\":%u,\"gid\":%g,\"mode\":416}", 0, NULL},
    {"{\"path\":\"/file\",\"uid\":77,\"gid\":%g,\"mode\":416}", 1, " (77:"},
    {"{\"path\":\"/file\",\"uid\":%u,\"gid\":77,\"mode\":416}", 1, ":77 0640)"},
    {"{\"path\":\"/file\",\"uid\":%u,\"gid\":%g,\"mode\":417}", 1, " 0641)"},
    /* the bits of Go, which are not those of stat(2) */
    {"{\"path\":\"/file\",\"uid\":%u,\"gid\":%g,\"mode\":8389024}", 1, " 4640)"},
    {"{\"path\":\"/file\",\"uid\":%u,\"gid\":%g,\"mode\":4194720}", 1, " 2640)"},
    {"{\"path\":\"/file\",\"uid\":%u,\"gid\":%g,\"mode\":1048992}", 1, " 1640)"},
    {"{\"path\":\"/file\",\"uid\":%u,\"gid\":%g,\"mode\":2147484064}", 0, NULL},
    /* a link has no mode of its own */
    {"{\"path\":\"/link\",\"uid\":%u,\"gid\":%g,\"mode\":134218239}", 0, NULL},
    {"{\"path\":\"/link\",\"uid\":77,\"gid\":%g,\"mode\":134218239}", 1, "/link (77:"},
    /* what was not restored, and what is no node */
    {"{\"path\":\"/other\",\"uid\":77,\"gid\":77,\"mode\":416}", 0, NULL},
    {"{\"path\":\"file\",\"uid\":77,\"gid\":77,\"mode\":416}", 0, NULL},
    {"{\"path\":\"/file\",\"mode\":416}", 0, NULL},
    {"{\"path\":7,\"uid\":77}", 0, NULL},
    {"[]", 0, NULL},
    {"{", 0, NULL},
    {"", 0, NULL},
};

/* The row with our own numbers in it. */
static char *line_of(const char *row)
{
    AUTO(text) struct text text = {0};

    for (const char *c = row; *c; c++)
        if (c[0] == '%') {
            c++;
            text_addf(&text, "%u", *c == 'u' ? geteuid() : getegid());
        } else {
            text_putc(&text, *c);
        }
    return text_take(&text);
}

START_TEST(owners_and_modes)
    {
        char folder[] = "/tmp/granary-left-XXXXXX";
        AUTO(left_out) struct left_out left = {0};
        AUTO(free) char *line = line_of(rows[_i].line);

        ck_assert_ptr_nonnull(mkdtemp(folder));

        AUTO(free) char *file = text_format("%s/file", folder);
        AUTO(free) char *link = text_format("%s/link", folder);
        FILE *made = fopen(file, "w");

        ck_assert(made && fclose(made) == 0 && chmod(file, 0640) == 0 && symlink(file, link) == 0);
        left_out_take(&left, folder, span_of(line));
        ck_assert(unlink(file) == 0 && unlink(link) == 0 && rmdir(folder) == 0);
        ck_assert_uint_eq(left.count, rows[_i].count);
        if (rows[_i].what)
            ck_assert_msg(strstr(text_get(&left.names), rows[_i].what) != NULL, "%s",
                          text_get(&left.names));
    }
END_TEST

/* The first ten are named, the others are counted. */
START_TEST(many)
    {
        AUTO(left_out) struct left_out left = {0};

        for (int i = 0; i < 12; i++)
            left_out_take(&left, "", span_of("{\"path\":\"/\",\"uid\":77,\"gid\":77,\"mode\":0}"));
        ck_assert_uint_eq(left.count, 12);

        unsigned names = 0;

        for (const char *c = text_get(&left.names); (c = strstr(c, "(77:77")); c++)
            names++;
        ck_assert_uint_eq(names, 10);
    }
END_TEST

SUITE(agent_left_out)
{
    suite_rows(tests, owners_and_modes, rows);
    tcase_add_test(tests, many);
}
