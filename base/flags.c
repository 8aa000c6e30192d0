#include "base/flags.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"

enum { KEY_HELP = 1000, KEY_VERSION, KEY_FIRST };

struct unit {
    const char *name;
    int64_t factor;
};

/* Each ends with one that has no name. */
static const struct unit times[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {0}};
static const struct unit bytes[] = {{"", 1}, {"Ki", 1 << 10}, {"Mi", 1 << 20}, {0}};
static const struct unit plain[] = {{"", 1}, {0}};

/* "10s" and "8Mi": digits and one of the units. */
static bool take_number(const struct flag *row, const struct unit *units, const char *text,
                        int64_t *number)
{
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || digits > (units == plain ? 18 : 9)) /* so nothing overflows */
        return false;
    for (const struct unit *unit = units; unit->name; unit++)
        if (strcmp(text + digits, unit->name) == 0) {
            *number = strtoll(text, NULL, 10) * unit->factor;
            return row->value.least <= *number && *number <= row->value.most;
        }
    return false;
}

static bool take_text(const char *text, const char **member, struct error *detail)
{
    *member = text;
    return *text || error_set(detail, ERROR_INVALID, "its value is empty");
}

static bool take(const struct flag *row, const char *text, void *member, struct error *detail)
{
    switch (row->value.kind) {
    case FLAG_IS_SWITCH:
        return *(bool *)member = true;
    case FLAG_IS_TEXT:
        return take_text(text, member, detail);
    case FLAG_IS_TIME:
        return take_number(row, times, text, member);
    case FLAG_IS_BYTES:
        return take_number(row, bytes, text, member);
    case FLAG_IS_NUMBER:
        return take_number(row, plain, text, member);
    case FLAG_IS_LOG_FORMAT:
        return log_format_parse(text, member);
    default:
        return row->value.parse(text, member, detail);
    }
}

static bool take_value(const struct flag *row, const char *text, void *options, struct error *err)
{
    struct error detail = {.message = ""};

    if (take(row, text, (char *)options + row->offset, &detail))
        return true;
    return error_set(err, ERROR_INVALID, "--%s%s%s: %s", row->name, *text ? " " : "", text,
                     *detail.message ? detail.message : "not understood");
}

static struct option *describe_to_getopt(const struct flag *rows, size_t count)
{
    struct option *list = text_realloc(NULL, (count + 3) * sizeof *list);
    size_t i;

    for (i = 0; i < count; i++)
        list[i] = (struct option){rows[i].name, rows[i].argument ? required_argument : no_argument,
                                  NULL, KEY_FIRST + (int)i};
    list[i++] = (struct option){"help", no_argument, NULL, KEY_HELP};
    list[i++] = (struct option){"version", no_argument, NULL, KEY_VERSION};
    list[i] = (struct option){0};
    return list;
}

/* getopt_long() leaves the key of an option that it knows, but not with a value, in optopt. */
static const char *trouble(int key)
{
    if (key == ':')
        return "its value is missing";
    return optopt >= KEY_HELP ? "takes no value" : "no such option";
}

static enum flags_verdict take_all(int argc, char **argv, const struct option *list,
                                   const struct flag *rows, void *options, struct error *err)
{
    int key;

    while ((key = getopt_long(argc, argv, ":h", list, NULL)) != -1) {
        if (key == KEY_HELP || key == 'h')
            return FLAGS_HELP;
        if (key == KEY_VERSION)
            return FLAGS_VERSION;
        if (key == '?' || key == ':') {
            error_set(err, ERROR_INVALID, "%s: %s", argv[optind - 1], trouble(key));
            return FLAGS_BAD;
        }
        if (!take_value(&rows[key - KEY_FIRST], optarg ? optarg : "", options, err))
            return FLAGS_BAD;
    }
    if (optind == argc)
        return FLAGS_RUN;
    error_set(err, ERROR_INVALID, "\"%s\" is not expected", argv[optind]);
    return FLAGS_BAD;
}

enum flags_verdict flags_parse(int argc, char **argv, const struct flag *rows, size_t count,
                               void *options, struct error *err)
{
    struct option *list = describe_to_getopt(rows, count);

    opterr = 0;
    optind = 0;

    enum flags_verdict verdict = take_all(argc, argv, list, rows, options, err);

    free(list);
    return verdict;
}

void flags_help(FILE *out, const struct flag *rows, size_t count, int column)
{
    for (size_t i = 0; i < count; i++) {
        int used = fprintf(out, "  --%s%s%s", rows[i].name, rows[i].argument ? " " : "",
                           rows[i].argument ? rows[i].argument : "");

        if (used >= column) {
            fputc('\n', out);
            used = 0;
        }
        fprintf(out, "%*s%s\n", column - used, "", rows[i].help);
    }
}
