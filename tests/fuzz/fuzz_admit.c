/*
 * A whole request: whatever it is, it is answered or refused; an answer is an AdmissionReview with
 * one-line warnings; a patch applies to the object under review, and there is nothing to do on what
 * it leads to (the API server asks again when another webhook changed something in between).
 */
#include <gnutls/gnutls.h>
#include <string.h>

#include "api/cluster.h"
#include "api/settings.h"
#include "base/auto.h"
#include "base/patch.h"
#include "base/tree.h"
#include "tests/fuzz/fuzz.h"
#include "webhook/admit.h"

/* What the reviews of the corpus were made for. */
#define CLUSTER "tests/golden/cluster.json"

static const struct cluster *known(void)
{
    static const struct cluster *cluster;

    if (!cluster) {
        json_error_t at;
        AUTO(json) json_t *objects = json_load_file(CLUSTER, 0, &at);

        FUZZ_MUST(objects);
        cluster = cluster_make(objects);
    }
    return cluster;
}

/* The response as a tree; NULL when there is no answer. */
static json_t *ask(const struct settings *settings, struct span body)
{
    AUTO(admit_answer) struct admit_answer answer = {0};
    struct error err = {0};
    json_error_t at;

    if (!admit_once(settings, known(), body, &answer, &err)) {
        FUZZ_MUST(err.code >= 400 && err.message[0]);
        return NULL;
    }

    AUTO(json)
    json_t *review = json_loadb(text_get(&answer.body), answer.body.length,
                                JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &at);

    FUZZ_MUST(review && json_is_boolean(tree_at(review, "response.allowed")));
    return tree_share(tree_get(review, "response"));
}

static void warnings_must_be_lines(const json_t *response)
{
    const json_t *warning;
    size_t i;

    tree_items (tree_get(response, "warnings"), i, warning) {
        struct span text = tree_value(warning);

        FUZZ_MUST(text.length > 0);
        for (size_t c = 0; c < text.length; c++)
            FUZZ_MUST((unsigned char)text.data[c] >= 0x20 && text.data[c] != 0x7f);
    }
}

static json_t *patch_of(const json_t *response)
{
    const char *coded = tree_text(response, "patch");
    gnutls_datum_t text = {(unsigned char *)coded, coded ? (unsigned)strlen(coded) : 0}, plain;
    json_error_t at;

    if (!coded)
        return NULL;
    FUZZ_MUST(gnutls_base64_decode2(&text, &plain) == 0);

    json_t *patch = json_loadb((char *)plain.data, plain.size, JSON_ALLOW_NUL, &at);

    gnutls_free(plain.data);
    FUZZ_MUST(json_array_size(patch) > 0);
    return patch;
}

/* jansson is stricter than the scan in nothing, but takes the first of two keys for the last. */
static json_t *read_review(struct span body)
{
    json_error_t at;

    return json_loadb(body.data, body.length, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &at);
}

static void nothing_must_be_left(const struct settings *settings, json_t *review,
                                 const json_t *patch)
{
    json_t *request = json_object_get(review, "request");
    struct error err = {0};
    json_t *result = patch_apply(tree_get(request, "object"), patch, &err);

    FUZZ_MUST(result);
    tree_put_new(request, "object", result);

    AUTO(free) char *again = json_dumps(review, JSON_COMPACT);
    AUTO(json) json_t *response = ask(settings, span_of(again));

    FUZZ_MUST(response && !tree_get(response, "patch"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span body = {(const char *)data, size};
    AUTO(settings) struct settings settings = {0};

    settings_default(&settings);

    AUTO(json) json_t *response = ask(&settings, body);
    AUTO(json) json_t *patch = patch_of(response);
    AUTO(json) json_t *review = patch ? read_review(body) : NULL;

    warnings_must_be_lines(response);
    if (review)
        nothing_must_be_left(&settings, review, patch);
    return 0;
}
