#include "webhook/admit.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/scan.h"

/* The skeleton: every well formed review is allowed. */
static bool allow(struct span body, struct admit_answer *answer, struct error *err)
{
    AUTO(scan) struct scan scan = {0};

    if (!scan_text(&scan, body, err))
        return false;

    struct span version = scan_slice(&scan, scan_path(&scan, 0, "apiVersion"));
    uint32_t uid = scan_path(&scan, 0, "request.uid");
    struct span text = scan_slice(&scan, uid);

    if (uid == SCAN_NONE || scan.values[uid].type != SCAN_STRING || !version.data)
        return error_set(err, ERROR_BAD_REQUEST, "not an AdmissionReview: no apiVersion or uid");
    text_addf(&answer->body,
              "{\"apiVersion\":%.*s,\"kind\":\"AdmissionReview\",\"response\":{\"uid\":%.*s,"
              "\"allowed\":true}}",
              (int)version.length, version.data, (int)text.length, text.data);
    snprintf(answer->uid, sizeof answer->uid, "%.*s", (int)text.length - 2, text.data + 1);
    snprintf(answer->outcome, sizeof answer->outcome, "skipped");
    snprintf(answer->reason, sizeof answer->reason, "skeleton");
    return true;
}

bool admit(const struct settings *settings, const struct cluster *cluster,
           enum admit_endpoint endpoint, struct span body, struct admit_answer *answer,
           struct error *err)
{
    (void)settings, (void)cluster, (void)endpoint;
    return allow(body, answer, err);
}

bool admit_once(const struct settings *settings, const struct cluster *cluster, struct span body,
                struct admit_answer *answer, struct error *err)
{
    return admit(settings, cluster, ADMIT_MUTATE, body, answer, err);
}
