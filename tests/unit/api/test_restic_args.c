#include "api/restic_args.h"

#include "base/auto.h"
#include "tests/unit/api/judged.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define B RESTIC_BACKUP
#define R RESTIC_RESTORE

static const struct {
    enum restic_command command;
    const char *args;
    const char *message; /* NULL: fine */
    size_t index;
} rows[] = {
    {B, "[]", NULL, 0},
    {B, "['--ignore-inode', '--tag=t1,t2', '--exclude', '*.tmp', '-x']", NULL, 0},
    {B, "['--tag t1', '--limit-upload 1024']", NULL, 0},
    {B, "['--exclude=-weird']", NULL, 0},
    {R, "['--include', '/a', '--verify', '--overwrite=never']", NULL, 0},
    {B, "['--include', '/a']", "option --include is not allowed", 0},
    {R, "['--one-file-system']", "option --one-file-system is not allowed", 0},
    {B, "['--force', '--password-command=touch /tmp/x']",
     "option --password-command is not allowed", 1},
    {B, "['-o', 'sftp.command=x']", "option -o is not allowed", 0},
    {B, "['-osftp.command=x']", "is not allowed", 0},
    {B, "['--repo=/x']", "option --repo is not allowed", 0},
    {B, "['-r', '/x']", "option -r is not allowed", 0},
    {B, "['--files-from', '/etc/shadow']", "option --files-from is not allowed", 0},
    {B, "['--exclude-file=/etc/shadow']", "option --exclude-file is not allowed", 0},
    {B, "['--stdin-from-command']", "is not allowed", 0},
    {R, "['--no-lock']", "option --no-lock is not allowed", 0},
    {R, "['--target', '/']", "option --target is not allowed", 0},
    {R, "['--delete']", "is not allowed", 0},
    {B, "['--cacert=/x']", "is not allowed", 0},
    {B, "['--', '/etc']", "option -- is not allowed", 0},
    {B, "['-']", "option - is not allowed", 0},
    {B, "['']", "only options", 0},
    {B, "['/etc']", "only options", 0},
    {B, "['--tag', 'a', 'b']", "only options", 2},
    {B, "['--force', 'a']", "only options", 1},
    {B, "['--tag=a', 'b']", "only options", 1},
    {B, "['--tag a --repo=x']", "option --tag is not allowed", 0},
    {B, "['--tag', '--no-lock']", "option --no-lock is not allowed", 1},
    {B, "['--tag=a\\nb']", "control characters", 0},
    {B, "['--tag', 'a\\u0000']", "control characters", 1},
    {B, "[1, null, {}]", NULL, 0},
};

START_TEST(arguments)
    {
        AUTO(json) json_t *args = json_row(rows[_i].args);
        struct error err = {0};
        size_t index = 99;
        bool fine = restic_args_check(args, rows[_i].command, &index, &err);

        ck_assert_msg(fine == !rows[_i].message, "%s: %s", rows[_i].args, err.message);
        if (fine)
            return;
        ck_assert_msg(strstr(err.message, rows[_i].message), "%s: %s", rows[_i].args, err.message);
        ck_assert_int_eq(err.code, ERROR_FORBIDDEN);
        ck_assert_uint_eq(index, rows[_i].index);
    }
END_TEST

SUITE(api_restic_args)
{
    suite_rows(tests, arguments, rows);
}
