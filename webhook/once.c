#include "webhook/once.h"

#include <errno.h>
#include <string.h>

#include "api/cluster.h"
#include "base/auto.h"
#include "http/answer.h"
#include "kube/catalog.h"
#include "webhook/admit.h"

static bool read_all(FILE *in, size_t limit, struct text *text, struct error *err)
{
    char piece[16384];
    size_t got;

    while ((got = fread(piece, 1, sizeof piece, in)) > 0) {
        text_add(text, piece, got);
        if (text->length > limit)
            return error_set(err, ERROR_TOO_LARGE, "standard input has more than %zu bytes", limit);
    }
    return !ferror(in) || error_set(err, ERROR_INTERNAL, "standard input: %s", strerror(errno));
}

static bool write_all(FILE *out, const struct text *text, struct error *err)
{
    fwrite(text_get(text), 1, text->length, out);
    fputc('\n', out);
    return (!fflush(out) && !ferror(out)) ||
           error_set(err, ERROR_INTERNAL, "standard output: %s", strerror(errno));
}

enum exit_code once_run(const struct options *options, const struct settings *settings, FILE *in,
                        FILE *out, struct error *err)
{
    AUTO(json) json_t *objects = catalog_read(options->catalog, NULL, err);
    AUTO(text) struct text body = {0};
    AUTO(admit_answer) struct admit_answer answer = {0};
    struct error refusal;

    if (!objects || !read_all(in, (size_t)options->body_max, &body, err))
        return EXIT_CANNOT;

    AUTO(cluster) const struct cluster *cluster = cluster_make(objects);
    bool answered = admit_once(settings, cluster, (struct span){text_get(&body), body.length},
                               &answer, &refusal);

    if (!answered)
        answer_status(&refusal, 0, &answer.body);
    if (!write_all(out, &answer.body, err))
        return EXIT_CANNOT;
    return answered ? EXIT_FINE : EXIT_REFUSED;
}
