/*
 * Variables in strings. The first byte chooses what happens to unknown names; what stands before
 * the first NUL is the value of TARGET_APP_TYPE, which is its owner's free text; the rest is the
 * blueprint's string.
 */
#include <jansson.h>
#include <string.h>

#include "api/expand.h"
#include "api/substitute.h"
#include "base/auto.h"
#include "base/limits.h"
#include "base/tree.h"
#include "tests/fuzz/fuzz.h"

static bool is_utf8(struct span text)
{
    AUTO(json) json_t *string = json_stringn(text.length ? text.data : "", text.length);

    return string != NULL;
}

static bool has_control(struct span text)
{
    for (size_t i = 0; i < text.length; i++)
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f)
            return true;
    return false;
}

static void text_must_hold(struct span in, const struct variables *variables, enum unknown unknown)
{
    struct expanding how = {.variables = variables, .unknown = unknown};
    AUTO(text) struct text out = {0};
    struct error err = {0};

    text_puts(&out, "before");

    bool fine = expand_text(&out, in, &how, &err);

    FUZZ_MUST(memcmp(text_get(&out), "before", strlen("before")) == 0);
    FUZZ_MUST(fine == (err.code == ERROR_NONE));
    if (!fine) {
        FUZZ_MUST(out.length == strlen("before") && err.message[0]);
        return;
    }

    struct span made = {out.data + strlen("before"), out.length - strlen("before")};

    FUZZ_MUST(made.length <= RESOLVED_MAX_BYTES);
    /* characters are never cut in the middle */
    FUZZ_MUST(!is_utf8(in) || is_utf8(made));
    /* a value brings no control character along */
    FUZZ_MUST(has_control(in) || !has_control(made));
    if (!in.length || !memchr(in.data, '$', in.length))
        FUZZ_MUST(span_equal(in, made));
}

/* A string in a tree is what it is alone; where it does not resolve, nothing does. */
static void tree_must_hold(struct span in, const struct variables *variables)
{
    struct substitution how = {.variables = variables, .blueprint = "b"};
    struct expanding alone = {.variables = variables};
    AUTO(json) json_t *tree = json_object();
    AUTO(text) struct text out = {0};
    AUTO(findings) struct findings findings = {0};
    struct error err = {0}, text_err = {0};

    tree_put_new(tree, "x", json_stringn(in.length ? in.data : "", in.length));

    AUTO(json) json_t *made = substitute_tree(tree, &how, "spec", &err);
    bool fine = expand_text(&out, in, &alone, &text_err);

    FUZZ_MUST(fine == (made != NULL));
    if (fine)
        FUZZ_MUST(span_equal(tree_span(made, "x"), (struct span){out.data, out.length}));
    substitute_check(tree, "spec", &findings);
    /* what the validator lets through is never malformed for a target that has all variables */
    if (!findings.count && !fine)
        FUZZ_MUST(text_err.code == ERROR_TOO_LARGE || strstr(text_err.message, "the value of"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(variables) struct variables variables = {0};
    AUTO(json) json_t *spec = json_object();

    if (size < 1)
        return 0;

    struct span in = {(const char *)data + 1, size - 1};
    const char *nul = in.length ? memchr(in.data, '\0', in.length) : NULL;

    if (nul) {
        struct span value = {in.data, (size_t)(nul - in.data)};

        if (is_utf8(value))
            tree_put_span(spec, "type", value);
        in = (struct span){nul + 1, in.length - value.length - 1};
    }
    variables_of_target(&variables, "a/v1", "AppBinding", "shop", "web", spec);
    text_must_hold(in, &variables, data[0] & 1 ? UNKNOWN_KEPT : UNKNOWN_REFUSED);
    if (is_utf8(in))
        tree_must_hold(in, &variables);
    return 0;
}
