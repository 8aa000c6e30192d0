/*
 * Bytes as each message of the agent API (the first one says which): what is read can be written,
 * what is written is read again and gives the same bytes.
 */
#include <string.h>

#include "api/agent_messages.h"
#include "base/auto.h"
#include "base/text.h"
#include "tests/fuzz/fuzz.h"

static const struct message_shape *const shapes[] = {
    &message_trigger_shape, &message_triggered_shape, &message_claim_shape,
    &message_granted_shape, &message_progress_shape,  &message_verdict_shape,
    &message_report_shape,  &message_receipt_shape,
};

static void again(const struct message_shape *shape, const void *message)
{
    AUTO(text) struct text written = {0};
    AUTO(text) struct text twice = {0};
    AUTO(free) void *second = text_alloc(shape->size);
    struct error err = {0};

    message_write(shape, message, &written);

    AUTO(json)
    json_t *document = message_read(shape, span_of(text_get(&written)), SIZE_MAX, second, &err);

    FUZZ_MUST(document);
    message_write(shape, second, &twice);
    FUZZ_MUST(strcmp(text_get(&written), text_get(&twice)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = {0};

    if (!size)
        return 0;

    const struct message_shape *shape = shapes[data[0] % (sizeof shapes / sizeof *shapes)];
    AUTO(free) void *message = text_alloc(shape->size);
    AUTO(json)
    json_t *document = message_read(shape, (struct span){(const char *)data + 1, size - 1},
                                    MESSAGE_ANSWER_MAX_BYTES, message, &err);

    if (!document) {
        FUZZ_MUST(err.code && err.message[0]);
        return 0;
    }
    again(shape, message);
    return 0;
}
