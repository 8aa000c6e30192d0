#include "base/auto.h"
#include "base/text.h"
#include "cli/line_diff.h"
#include "tests/unit/suite.h"

static const struct {
    const char *before, *after, *diff;
} rows[] = {
    {"", "", ""},
    {"a\nb\n", "a\nb\n", ""},
    {"", "a\nb\n", "@@ -0,0 +1,2 @@\n+a\n+b\n"},
    {"a\nb\n", "", "@@ -1,2 +0,0 @@\n-a\n-b\n"},
    {"a\nb\nc\n", "a\nB\nc\n", "@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n"},
    /* three lines of context, no more */
    {"1\n2\n3\n4\n5\n", "1\n2\n3\n4\nx\n5\n", "@@ -2,4 +2,5 @@\n 2\n 3\n 4\n+x\n 5\n"},
    /* two changes that share their context are one hunk; six lines between them still do */
    {"a\n1\n2\n3\n4\n5\n6\nb\n", "A\n1\n2\n3\n4\n5\n6\nB\n",
     "@@ -1,8 +1,8 @@\n-a\n+A\n 1\n 2\n 3\n 4\n 5\n 6\n-b\n+B\n"},
    {"a\n1\n2\n3\n4\n5\n6\n7\nb\n", "A\n1\n2\n3\n4\n5\n6\n7\nB\n",
     "@@ -1,4 +1,4 @@\n-a\n+A\n 1\n 2\n 3\n@@ -6,4 +6,4 @@\n 5\n 6\n 7\n-b\n+B\n"},
    /* what stays in between is found */
    {"x\nkeep\ny\n", "keep\nz\n", "@@ -1,3 +1,2 @@\n-x\n keep\n-y\n+z\n"},
    /* equal lines at both ends do not make a change overlap itself */
    {"a\na\n", "a\na\na\n", "@@ -1,2 +1,3 @@\n a\n a\n+a\n"},
};

START_TEST(diffs)
    {
        AUTO(text) struct text out = {0};

        line_diff(&out, span_of(rows[_i].before), span_of(rows[_i].after));
        ck_assert_str_eq(text_get(&out), rows[_i].diff);
    }
END_TEST

static void repeat(struct text *text, char letter, size_t lines)
{
    for (size_t i = 0; i < lines; i++)
        text_addf(text, "%c%zu\n", letter, i);
}

START_TEST(what_is_too_much_to_compare_is_replaced)
    {
        AUTO(text) struct text before = {0}, after = {0}, out = {0};

        text_puts(&before, "same\n");
        text_puts(&after, "same\n");
        repeat(&before, 'a', 3000);
        repeat(&after, 'b', 3000);
        line_diff(&out, (struct span){before.data, before.length},
                  (struct span){after.data, after.length});
        ck_assert(strstr(text_get(&out), "@@ -1,3001 +1,3001 @@\n same\n-a0\n-a1\n"));
        ck_assert(strstr(text_get(&out), "-a2999\n+b0\n"));
    }
END_TEST

SUITE(cli_line_diff)
{
    suite_rows(tests, diffs, rows);
    tcase_add_test(tests, what_is_too_much_to_compare_is_replaced);
}
