#include "agent/drill_plan.h"

#include <stdlib.h>
#include <string.h>

#include "agent/restic_line.h"
#include "agent/whole_session.h"
#include "api/message.h"
#include "base/auto.h"
#include "base/tree.h"

#define DRILL_MAX_BYTES 4096u
#define TAG_MAX_BYTES 1024
#define FOLDER_MAX_BYTES 255

/* Hex digits of an id in the name of a folder. */
#define ID_CHARS 8

/* ---- what is asked for ---- */

static bool is_folder(const char *name)
{
    size_t length = strlen(name);

    return length > 0 && length <= FOLDER_MAX_BYTES && !strchr(name, '/') && name[0] != '.';
}

static bool also_drill(const void *message, struct error *err)
{
    const struct drill *drill = message;

    if (!*drill->tag || !is_folder(drill->folder))
        return error_set(err, ERROR_INVALID, "a drill without a tag or a folder");
    return true;
}

static const struct message_field fields[] = {
#define AT(member) offsetof(struct drill, member)
    {.name = "tag", .type = MESSAGE_TEXT, .required = true, .at = AT(tag), .high = TAG_MAX_BYTES},
    {.name = "folder",
     .type = MESSAGE_TEXT,
     .required = true,
     .at = AT(folder),
     .high = FOLDER_MAX_BYTES},
    {.name = "files", .type = MESSAGE_COUNT, .at = AT(files), .high = DRILL_FILES_MAX},
    {.name = "keep", .type = MESSAGE_FLAG, .at = AT(keep)},
#undef AT
};

static const struct message_shape shape = MESSAGE_SHAPE(struct drill, fields, also_drill);

json_t *drill_read(struct span text, struct drill *drill, struct error *err)
{
    return message_read(&shape, text, DRILL_MAX_BYTES, drill, err);
}

/* ---- which snapshots ---- */

static const char *host_of(const json_t *snapshot)
{
    const char *host = tree_text(snapshot, "hostname");

    return host ? host : "";
}

static const json_t *newest_of(const json_t *list, const char *host)
{
    AUTO(json) json_t *own = json_array();
    const json_t *snapshot;
    size_t i;

    tree_items (list, i, snapshot)
        if (strcmp(host_of(snapshot), host) == 0)
            tree_push_new(own, tree_share(snapshot));
    return restic_newest(own, NULL);
}

/* {host: its newest snapshot}: each host is looked for once. */
static json_t *newest_by_host(const json_t *list)
{
    json_t *hosts = json_object();
    const json_t *snapshot;
    size_t i;

    tree_items (list, i, snapshot)
        if (!tree_get(hosts, host_of(snapshot)))
            tree_put_new(hosts, host_of(snapshot), tree_share(newest_of(list, host_of(snapshot))));
    return hosts;
}

static bool is_of(const json_t *snapshot, const json_t *newest)
{
    const char *session = session_of(snapshot), *wanted = session_of(newest);

    return snapshot == newest || (session && wanted && strcmp(session, wanted) == 0);
}

json_t *drill_snapshots(const json_t *list)
{
    AUTO(json) json_t *hosts = newest_by_host(list);
    json_t *chosen = json_array();
    const json_t *snapshot;
    size_t i;

    tree_items (list, i, snapshot)
        if (tree_text(snapshot, "id") && restic_id_is(tree_text(snapshot, "id")) &&
            is_of(snapshot, tree_get(hosts, host_of(snapshot))))
            tree_push_new(chosen, tree_share(snapshot));
    return chosen;
}

char *drill_folder(const json_t *snapshot)
{
    const char *id = tree_text(snapshot, "id");

    return is_folder(host_of(snapshot)) ? text_format("%s", host_of(snapshot))
                                        : text_format("snapshot-%.*s", ID_CHARS, id ? id : "");
}

/* ---- what they hold ---- */

void drill_listing_init(struct drill_listing *listing, int64_t wanted, uint64_t seed)
{
    *listing = (struct drill_listing){.wanted = wanted < DRILL_FILES_MAX ? wanted : DRILL_FILES_MAX,
                                      .random = seed};
    listing->list = text_alloc((DRILL_FILES_MAX + 1) * sizeof *listing->list);
}

void drill_listing_done(struct drill_listing *listing)
{
    for (size_t i = 0; i < listing->count; i++)
        free(listing->list[i].pattern);
    free(listing->list);
    *listing = (struct drill_listing){0};
}

/* splitmix64 */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

void drill_pattern(struct text *out, const char *path)
{
    static const char lost[] = "\xef\xbf\xbd"; /* U+FFFD, what restic writes for other bytes */

    for (const char *c = path; *c; c++) {
        if (strncmp(c, lost, sizeof lost - 1) == 0) {
            text_putc(out, '?');
            c += sizeof lost - 2;
            continue;
        }
        if (strchr("*?[\\", *c))
            text_putc(out, '\\');
        text_putc(out, *c);
    }
}

/* In place of one that was drawn before; of one that does not fit the old one stays. */
static void put_drawn(struct drill_listing *listing, size_t place, const char *path, int64_t bytes)
{
    AUTO(text) struct text pattern = {0};
    struct drawn *drawn = &listing->list[place];
    size_t before = place < listing->count ? strlen(drawn->pattern) : 0;

    drill_pattern(&pattern, path);
    if (listing->pattern_bytes - before + pattern.length > DRILL_PATTERNS_MAX_BYTES)
        return;
    listing->pattern_bytes += pattern.length - before;
    if (place < listing->count) {
        listing->drawn.bytes -= drawn->bytes;
        free(drawn->pattern);
    } else {
        listing->count++;
        listing->drawn.files++;
    }
    listing->drawn.bytes += bytes;
    *drawn = (struct drawn){text_take(&pattern), bytes};
}

/* Each file is as likely as any other, also when nobody knows how many there will be. Spec: Vitter,
 * algorithm R. */
static void draw(struct drill_listing *listing, const char *path, int64_t bytes)
{
    uint64_t place;

    if (!listing->wanted)
        return;
    if ((int64_t)listing->count < listing->wanted) {
        put_drawn(listing, listing->count, path, bytes);
        return;
    }
    place = next_random(&listing->random) % (uint64_t)listing->all.files;
    if (place < listing->count)
        put_drawn(listing, (size_t)place, path, bytes);
}

bool drill_listing_take(struct drill_listing *listing, struct span line)
{
    AUTO(json) json_t *node = json_loadb(line.data, line.length, 0, NULL);
    const char *path = tree_text(node, "path");
    int64_t bytes = tree_int(node, "size", 0);

    if (span_is(tree_span(node, "message_type"), "snapshot"))
        return listing->told = true;
    if (!span_is(tree_span(node, "message_type"), "node"))
        return false;
    if (!span_is(tree_span(node, "type"), "file"))
        return true;
    bytes = bytes > 0 && bytes < INT64_MAX - listing->all.bytes ? bytes : 0;
    listing->all.files++;
    listing->all.bytes += bytes;
    if (path)
        draw(listing, path, bytes);
    return true;
}

/* ---- what must come of it ---- */

bool drill_check_summary(const json_t *snapshot, const struct drill_count *listed,
                         struct error *err)
{
    const json_t *summary = tree_get(snapshot, "summary");
    int64_t files = tree_int(summary, "total_files_processed", -1);
    int64_t bytes = tree_int(summary, "total_bytes_processed", -1);

    /* restic before 0.17 tells nothing */
    if (files < 0 || bytes < 0 || (files == listed->files && bytes == listed->bytes))
        return true;
    return error_set(err, ERROR_INVALID,
                     "the snapshot says that it holds %lld files of %lld bytes, and lists %lld of "
                     "%lld bytes",
                     (long long)files, (long long)bytes, (long long)listed->files,
                     (long long)listed->bytes);
}

bool drill_check_restored(const struct drill_listing *listing, const struct drill_count *restored,
                          struct error *err)
{
    const struct drill_count *wanted = listing->wanted ? &listing->drawn : &listing->all;
    bool more = listing->wanted > 0;

    if (more ? restored->files >= wanted->files && restored->bytes >= wanted->bytes
             : restored->files == wanted->files && restored->bytes == wanted->bytes)
        return true;
    return error_set(
        err, ERROR_INVALID,
        "%lld files of %lld bytes were to be restored, and %lld of %lld bytes are there",
        (long long)wanted->files, (long long)wanted->bytes, (long long)restored->files,
        (long long)restored->bytes);
}
