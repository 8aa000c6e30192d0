/*
 * The first byte says how large the pieces are in which the rest arrives. Frames are the same as
 * when it arrives whole; each lies behind the one before; and where a frame is an object, jansson,
 * which stops behind a value, sees it end at the same place.
 */
#include <jansson.h>
#include <string.h>

#include "base/auto.h"
#include "kube/frame.h"
#include "kube/watch_event.h"
#include "tests/fuzz/fuzz.h"

static const struct kube_watched pods = {.resource = {"", "v1", "pods", "Pod", true}};

static void event_must_be_sound(struct span frame)
{
    AUTO(watch_event) struct watch_event event = {0};
    struct error err = {0};

    if (!watch_event_decode(&pods, frame, &event, &err)) {
        FUZZ_MUST(err.code != ERROR_NONE && !event.object);
        return;
    }
    FUZZ_MUST((event.object != NULL) == (event.type <= WATCH_DELETED));
    FUZZ_MUST(!event.object || event.version);
    FUZZ_MUST(event.type != WATCH_STRANGE || err.code != ERROR_NONE);
}

static void frame_must_be_right(struct span frame, const uint8_t *data, size_t size)
{
    json_error_t detail;
    AUTO(json)
    json_t *value =
        json_loadb(frame.data, frame.length, JSON_ALLOW_NUL | JSON_DISABLE_EOF_CHECK, &detail);

    FUZZ_MUST(frame.length >= 2 && frame.length <= size);
    FUZZ_MUST(memmem(data, size, frame.data, frame.length));
    FUZZ_MUST(!value || (size_t)detail.position == frame.length);
    event_must_be_sound(frame);
}

/* All frames, one behind the other, and how it ended. */
static void read_all(const uint8_t *data, size_t size, size_t step, struct text *out)
{
    AUTO(frames) struct frames frames = {.max = 4096};
    enum frame got = FRAME_MORE;

    for (size_t at = 0; at <= size && got == FRAME_MORE; at += step) {
        struct error err = {0};
        struct span frame;

        text_add(&frames.buffer, (const char *)data + at, size - at < step ? size - at : step);
        while ((got = frame_object(&frames, &frame, &err)) == FRAME_READY) {
            if (step > size)
                frame_must_be_right(frame, data, size);
            text_add(out, frame.data, frame.length);
            text_putc(out, '\n');
        }
        FUZZ_MUST((got == FRAME_BAD) == (err.code != ERROR_NONE));
    }
    text_addf(out, "%d %d", (int)got, got == FRAME_MORE && frames_empty(&frames));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(text) struct text whole = {0}, pieces = {0};

    if (size < 2)
        return 0;
    read_all(data + 1, size - 1, size, &whole);
    read_all(data + 1, size - 1, (size_t)data[0] % 61 + 1, &pieces);
    FUZZ_MUST(whole.length == pieces.length);
    FUZZ_MUST(memcmp(text_get(&whole), text_get(&pieces), whole.length) == 0);
    return 0;
}
