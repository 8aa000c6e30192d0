#include "api/restic_args.h"

#include <string.h>

#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"

struct option {
    const char *name;
    bool backup, restore; /* where it is allowed */
    bool value;           /* takes one */
};

static const struct option options[] = {
    {"--exclude", true, true, true},
    {"-e", true, true, true},
    {"--iexclude", true, true, true},
    {"--include", false, true, true},
    {"-i", false, true, true},
    {"--iinclude", false, true, true},
    {"--exclude-if-present", true, false, true},
    {"--exclude-larger-than", true, false, true},
    {"--exclude-caches", true, false, false},
    {"--one-file-system", true, false, false},
    {"-x", true, false, false},
    {"--ignore-inode", true, false, false},
    {"--ignore-ctime", true, false, false},
    {"--with-atime", true, false, false},
    {"--force", true, false, false},
    {"-f", true, false, false},
    {"--no-scan", true, false, false},
    {"--skip-if-unchanged", true, false, false},
    {"--read-concurrency", true, false, true},
    {"--pack-size", true, false, true},
    {"--compression", true, false, true},
    {"--tag", true, true, true},
    {"--sparse", false, true, false},
    {"--verify", false, true, false},
    {"--overwrite", false, true, true},
    {"--limit-upload", true, true, true},
    {"--limit-download", true, true, true},
    {"--no-extra-verify", true, true, false},
    {"--verbose", true, true, false},
    {"-v", true, true, false},
    {"--quiet", true, true, false},
    {"-q", true, true, false},
};

static const struct option *option_named(struct span name, enum restic_command command)
{
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (span_is(name, options[i].name))
            return (command == RESTIC_BACKUP ? options[i].backup : options[i].restore) ? &options[i]
                                                                                       : NULL;
    return NULL;
}

/* "--tag" of "--tag=a" and of "--tag a". */
static struct span name_of(struct span arg)
{
    size_t length = 0;

    while (length < arg.length && arg.data[length] != '=' && arg.data[length] != ' ')
        length++;
    return (struct span){arg.data, length};
}

/* True when every further word of "--tag a b" is a value: none may be an option of its own. */
static bool one_value(struct span arg, struct span name)
{
    struct span rest = {arg.data + name.length, arg.length - name.length};

    return !rest.length || rest.data[0] == '=' || !memmem(rest.data, rest.length, " -", 2);
}

static bool arg_fault(struct error *err, struct span name)
{
    AUTO(free) char *shown = text_printable(name, 40);

    if (!name.length || name.data[0] != '-')
        return error_set(err, ERROR_FORBIDDEN, "only options are allowed here, such as --tag=a");
    return error_set(err, ERROR_FORBIDDEN, "option %s is not allowed", shown);
}

static bool control(struct span arg)
{
    for (size_t i = 0; i < arg.length; i++)
        if ((unsigned char)arg.data[i] < ' ')
            return true;
    return false;
}

bool restic_args_check(const json_t *args, enum restic_command command, size_t *index,
                       struct error *err)
{
    const json_t *element;
    bool value_next = false;
    size_t i;

    tree_items (args, i, element) {
        struct span arg = tree_value(element), name = name_of(arg);
        bool value = value_next && arg.length && arg.data[0] != '-';

        *index = i;
        value_next = false;
        if (control(arg))
            return error_set(err, ERROR_FORBIDDEN, "control characters are not allowed");
        if (value || !json_is_string(element))
            continue;

        const struct option *option = option_named(name, command);

        if (!option || !one_value(arg, name))
            return arg_fault(err, name);
        value_next = option->value && name.length == arg.length;
    }
    return true;
}
