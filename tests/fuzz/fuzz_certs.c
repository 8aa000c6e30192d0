/*
 * Three PEM files in one, divided by a line "====": certificate, key, client CA. Whatever stands
 * there: one answer, with a reason, or facts that hold together.
 */
#include "base/auto.h"
#include "base/text.h"
#include "certs/credentials.h"
#include "tests/fuzz/fuzz.h"

#define NOW_S 1800000000

static struct span take_part(struct span *rest)
{
    const char *end = rest->data ? memmem(rest->data, rest->length, "====\n", 5) : NULL;
    struct span part = *rest;

    if (!end) {
        *rest = (struct span){0};
        return part;
    }
    part.length = (size_t)(end - part.data);
    *rest = (struct span){end + 5, rest->length - part.length - 5};
    return part;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = {(const char *)data, size};
    struct certs_parts parts = {.cert = {"cert", take_part(&rest)},
                                .key = {"key", take_part(&rest)},
                                .client_ca = {"ca", rest}};
    struct certs_facts facts = {.not_after_s = -1};
    struct error err = {.message = ""};
    bool good = certs_check(&parts, NOW_S, &facts, &err);

    FUZZ_MUST(good == (err.message[0] == '\0'));
    FUZZ_MUST(good || facts.not_after_s == -1);
    FUZZ_MUST(!good || certs_valid(&facts, NOW_S));

    AUTO(credentials) struct credentials *made = credentials_make(&parts, NOW_S, &err);

    FUZZ_MUST(good || !made);
    return 0;
}
