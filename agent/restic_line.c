#include "agent/restic_line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/restic_command.h"
#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"

static int64_t count(const json_t *object, const char *key)
{
    int64_t value = tree_int(object, key, 0);

    return value > 0 ? value : 0;
}

static void copy(char *out, struct span text)
{
    AUTO(free) char *shown = text_printable(text, RESTIC_TEXT_BYTES / 4 - 1);

    snprintf(out, RESTIC_TEXT_BYTES, "%s", shown);
}

static int64_t milliseconds(const json_t *seconds)
{
    double value = json_number_value(seconds);

    return value > 0 && value < 1e9 ? (int64_t)(value * 1000) : 0;
}

static void read_status(const json_t *object, struct restic_line *line)
{
    line->bytes_total = count(object, "total_bytes");
    line->files_total = count(object, "total_files");
    line->bytes_done = count(object, "bytes_done") + count(object, "bytes_restored") +
                       count(object, "bytes_skipped");
    line->files_done = count(object, "files_done") + count(object, "files_restored") +
                       count(object, "files_skipped");
}

static void read_summary(const json_t *object, struct restic_line *line)
{
    const char *id = tree_text(object, "snapshot_id");

    line->total_bytes = count(object, "total_bytes_processed") + count(object, "total_bytes");
    line->total_files = count(object, "total_files_processed") + count(object, "total_files");
    line->files_restored = count(object, "files_restored") + count(object, "files_skipped");
    line->added_bytes = count(object, "data_added_packed");
    if (!line->added_bytes)
        line->added_bytes = count(object, "data_added");
    line->files_new = count(object, "files_new");
    line->files_changed = count(object, "files_changed");
    line->files_unmodified = count(object, "files_unmodified");
    line->duration_ms = milliseconds(tree_get(object, "total_duration"));
    if (id && restic_id_is(id))
        memcpy(line->id, id, RESTIC_ID_BYTES);
}

void restic_line_read(struct span text, struct restic_line *line)
{
    static const struct {
        const char *type;
        enum restic_message kind;
    } types[] = {{"status", RESTIC_STATUS},
                 {"summary", RESTIC_SUMMARY},
                 {"verbose_status", RESTIC_ITEM},
                 {"error", RESTIC_ITEM_ERROR},
                 {"exit_error", RESTIC_EXIT_ERROR}};
    AUTO(json) json_t *object = json_loadb(text.data, text.length, 0, NULL);
    const char *type = tree_text(object, "message_type");

    *line = (struct restic_line){.kind = RESTIC_OTHER};
    for (size_t i = 0; type && i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].type, type) == 0)
            line->kind = types[i].kind;
    if (!json_is_object(object))
        copy(line->message, text);
    if (line->kind == RESTIC_STATUS)
        read_status(object, line);
    if (line->kind == RESTIC_SUMMARY)
        read_summary(object, line);
    if (line->kind == RESTIC_ITEM) {
        const char *path = tree_text(object, "item");

        if (path && strlen(path) < sizeof line->path)
            memcpy(line->path, path, strlen(path) + 1);
    }
    if (line->kind == RESTIC_ITEM_ERROR) {
        copy(line->item, tree_span(object, "item"));
        copy(line->message,
             tree_span(tree_get(object, "error") ? tree_get(object, "error") : object,
                       "message")); /* a check has no item */
    }
    if (line->kind == RESTIC_EXIT_ERROR)
        copy(line->message, tree_span(object, "message"));
}

bool restic_id_is(const char *id)
{
    return strlen(id) == RESTIC_ID_BYTES - 1 &&
           strspn(id, "0123456789abcdef") == RESTIC_ID_BYTES - 1;
}

/* A moment as number to compare: nanoseconds since 1970, of RFC 3339 with any offset. -1: none.
 * Spec: RFC 3339 section 5.6; days by the civil calendar. */
static int64_t moment(const char *text)
{
    int year, month, day, hour, minute, second, used = 0, off_hours = 0, off_minutes = 0;
    int64_t fraction = 0, unit = 100000000;
    char sign = 'Z';

    if (!text ||
        sscanf(text, "%4d-%2d-%2d%*1[Tt ]%2d:%2d:%2d%n", &year, &month, &day, &hour, &minute,
               &second, &used) < 6 ||
        !used || month < 1 || month > 12)
        return -1;
    text += used;
    if (*text == '.')
        for (text++; *text >= '0' && *text <= '9'; text++, unit /= 10)
            fraction += (*text - '0') * unit;
    if (sscanf(text, "%c%2d:%2d", &sign, &off_hours, &off_minutes) < 1)
        return -1;

    int64_t y = year - (month <= 2), era = y / 400, of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t days = era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
    int64_t offset = (sign == '-' ? -60 : 60) * (off_hours * 60 + off_minutes);

    return (days * 86400 + hour * 3600 + minute * 60 + second -
            (sign == '+' || sign == '-' ? offset : 0)) *
               INT64_C(1000000000) +
           fraction;
}

const json_t *restic_newest(const json_t *list, const char *as_of)
{
    int64_t limit = as_of ? moment(as_of) : INT64_MAX, best = -1;
    const json_t *snapshot, *newest = NULL;
    size_t i;

    tree_items (list, i, snapshot) {
        int64_t when = moment(tree_text(snapshot, "time"));
        const char *id = tree_text(snapshot, "id");

        if (id && restic_id_is(id) && when > best && when <= limit) {
            best = when;
            newest = snapshot;
        }
    }
    return newest;
}

static const char *uid_of(const json_t *snapshot)
{
    const json_t *tag;
    size_t i;

    tree_items (tree_get(snapshot, "tags"), i, tag) {
        const char *text = json_string_value(tag);

        if (text && strlen(text) == 36 && strspn(text, "0123456789abcdef-") == 36)
            return text;
    }
    return NULL;
}

/* The mark that this one takes over from, as it says; NULL: none. */
static const char *adopts(const json_t *snapshot)
{
    const json_t *tag;
    size_t i;

    tree_items (tree_get(snapshot, "tags"), i, tag) {
        const char *text = json_string_value(tag);

        if (text && strncmp(text, ADOPTS_TAG, strlen(ADOPTS_TAG)) == 0)
            return text + strlen(ADOPTS_TAG);
    }
    return NULL;
}

static bool has_mark(const json_t *list, const char *id)
{
    const json_t *snapshot;
    size_t i;

    tree_items (list, i, snapshot)
        if (span_is(tree_span(snapshot, "id"), id) && uid_of(snapshot))
            return true;
    return false;
}

/* Whether a mark follows this one; NULL: whether it follows none that is there. */
static bool follows(const json_t *list, const json_t *mark, const char *id)
{
    const char *from = adopts(mark);

    return id ? from && strcmp(from, id) == 0 : !from || !has_mark(list, from);
}

/* The earliest that follows, of two of one moment the one whose id is lower. */
static struct restic_mark earliest(const json_t *list, const char *id)
{
    struct restic_mark found = {NULL, NULL};
    int64_t first = INT64_MAX;
    const json_t *mark;
    size_t i;

    tree_items (list, i, mark) {
        int64_t when = moment(tree_text(mark, "time"));
        const char *own = tree_text(mark, "id");

        if (when < 0 || when > first || !uid_of(mark) || !own || !follows(list, mark, id) ||
            (when == first && found.id && strcmp(own, found.id) > 0))
            continue;
        first = when;
        found = (struct restic_mark){uid_of(mark), own};
    }
    return found;
}

struct restic_mark restic_owner(const json_t *list)
{
    struct restic_mark owner = earliest(list, NULL);

    /* no longer than there are marks, whatever they say of each other */
    for (size_t i = json_array_size(list); owner.id && i > 0; i--) {
        struct restic_mark next = earliest(list, owner.id);

        if (!next.id)
            break;
        owner = next;
    }
    return owner;
}
