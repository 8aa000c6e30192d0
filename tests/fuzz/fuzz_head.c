/*
 * The bytes of a request head. They are cut as libmicrohttpd 0.9.75 does it, lax as it is; then
 * what we let pass must be what a strict reader finds in the untouched bytes: the same end of the
 * head, the same lines, exactly one way to tell where the body ends.
 */
#include <string.h>
#include <strings.h>

#include "base/auto.h"
#include "base/limits.h"
#include "base/text.h"
#include "http/head.h"
#include "tests/fuzz/fuzz.h"

#define BODY_MAX 100000

static const struct head_route routes[] = {{"/mutate", 0, 0}, {"/validate", 1, 0}, {0}};

/* A head as the library hands it out, in bytes that it wrote into. */
struct cut {
    char *at, *end;
    struct head head;
    struct head_line lines[HEADERS_MAX + 1];
    size_t count, size, uri_length;
};

/* The next line, ended by CRLF or LF, both made NUL; NULL when there is none. */
static char *next_line(struct cut *cut, size_t *length)
{
    char *line = cut->at, *feed = memchr(line, '\n', (size_t)(cut->end - line));

    if (!feed)
        return NULL;
    cut->at = feed + 1;
    *length = (size_t)(feed - line);
    *feed = '\0';
    if (feed > line && feed[-1] == '\r') {
        feed[-1] = '\0';
        --*length;
    }
    return line;
}

static bool request_line(struct cut *cut, char *line, size_t length)
{
    char *blank = memchr(line, ' ', length), *version = memrchr(line, ' ', length);

    if (!blank || version <= blank || line + length - version != 9)
        return false;
    *blank = *version = '\0';
    while (blank[1] == ' ')
        blank++;
    cut->head.method = span_of(line);
    cut->head.version = span_of(version + 1);
    cut->uri_length = head_uri_length(blank + 1);
    if (strchr(blank + 1, '?'))
        *strchr(blank + 1, '?') = '\0';
    cut->head.path = span_of(blank + 1);
    return true;
}

static bool header_line(struct cut *cut, char *line)
{
    char *colon = strchr(line, ':');

    if (!colon || *line == ' ' || *line == '\t' || cut->count > HEADERS_MAX)
        return false;
    *colon++ = '\0';
    colon += strspn(colon, " \t");
    cut->lines[cut->count++] = (struct head_line){span_of(line), span_of(colon)};
    return true;
}

/* A line that begins with NUL ends the head: so does the library. */
static bool cut_head(struct cut *cut, char *bytes, size_t size)
{
    size_t length;
    char *line;

    cut->at = bytes;
    cut->end = bytes + size;
    line = next_line(cut, &length);
    if (!line || !request_line(cut, line, length))
        return false;
    while ((line = next_line(cut, &length)) && *line)
        if (!header_line(cut, line))
            return false;
    cut->size = (size_t)(cut->at - bytes);
    cut->head.lines = cut->lines;
    cut->head.count = cut->count;
    return line;
}

/* What a strict reader finds in the lines. */
struct strict {
    size_t lines, lengths, codings, hosts;
    uint64_t length;
};

static bool named(const char *line, const char *name)
{
    return strncasecmp(line, name, strlen(name)) == 0;
}

static void read_strictly(const char *head, size_t size, struct strict *found)
{
    const char *line = memmem(head, size, "\r\n", 2);

    FUZZ_MUST(line);
    for (line += 2; line < head + size - 2; found->lines++) {
        const char *end = memmem(line, (size_t)(head + size - line), "\r\n", 2);

        FUZZ_MUST(end);
        FUZZ_MUST(memchr(line, ':', (size_t)(end - line)));
        FUZZ_MUST(*line != ' ' && *line != '\t');
        found->hosts += named(line, "host:");
        found->codings += named(line, "transfer-encoding:");
        if (named(line, "content-length:")) {
            found->lengths++;
            found->length = strtoull(line + strlen("content-length:"), NULL, 10);
        }
        line = end + 2;
    }
}

static void check_passed(const struct span *bytes, const struct cut *cut,
                         const struct head_request *request)
{
    const char *end = memmem(bytes->data, bytes->length, "\r\n\r\n", 4);
    struct strict found = {0};

    FUZZ_MUST(end);
    FUZZ_MUST((size_t)(end + 4 - bytes->data) == cut->size);
    FUZZ_MUST(!memchr(bytes->data, '\0', cut->size));
    for (const char *at = bytes->data; at < bytes->data + cut->size; at++)
        FUZZ_MUST((*at != '\n' || at[-1] == '\r') && (*at != '\r' || at[1] == '\n'));
    read_strictly(bytes->data, cut->size, &found);
    FUZZ_MUST(found.lines == cut->count);
    FUZZ_MUST(found.hosts == 1);
    FUZZ_MUST(found.lengths + found.codings == 1);
    FUZZ_MUST(request->chunked == (found.codings == 1));
    FUZZ_MUST(request->chunked || (request->length == found.length && found.length <= BODY_MAX));
}

/*
 * A NUL among the bytes that end a line is like a CR or LF that was made NUL: the one thing that
 * can not be told apart. Two in a row are one line's end, four are the end of the head.
 */
static void forgive_nuls_at_line_ends(char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        size_t run = 0;

        while (i + run < size && strchr("\r\n", bytes[i + run]))
            run++;
        if (run == 2 || run == 4)
            memcpy(bytes + i, "\r\n\r\n", run);
        i += run;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free) char *copy = text_dup((const char *)data, size);
    AUTO(free) char *original = text_dup((const char *)data, size);
    struct span bytes = {original, size};
    struct cut cut = {.count = 0};
    struct head_request request = {0};
    struct error err;

    (void)head_is_json(bytes);
    FUZZ_MUST(head_timeout_ms(bytes) >= 0);
    if (cut_head(&cut, copy, size) && head_judge(&cut.head, routes, BODY_MAX, &request, &err) &&
        head_is_tight(&cut.head, copy, cut.size, cut.uri_length)) {
        forgive_nuls_at_line_ends(original, cut.size);
        check_passed(&bytes, &cut, &request);
    }
    return 0;
}
