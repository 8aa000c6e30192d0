/*
 * The transport floor: linked into the webhook in the place of webhook/admit.c, it answers every
 * request with the same 600 bytes. What the webhook takes beyond that is the decision.
 */
#include <stdio.h>
#include <string.h>

#include "webhook/admit.h"

#define ANSWER_BYTES 600

bool admit(const struct settings *settings, const struct cluster *cluster,
           enum admit_endpoint endpoint, struct span body, struct admit_answer *answer,
           struct error *err)
{
    static const char head[] =
        "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\","
        "\"response\":{\"uid\":\"0df28fbd-5f5f-11e8-bc74-36e6bb280816\","
        "\"allowed\":true,\"auditAnnotations\":{\"floor\":\"";
    static const char tail[] = "\"}}}";
    char fixed[ANSWER_BYTES];

    (void)settings, (void)cluster, (void)endpoint, (void)body, (void)err;
    memset(fixed, 'x', sizeof fixed);
    memcpy(fixed, head, sizeof head - 1);
    memcpy(fixed + sizeof fixed - (sizeof tail - 1), tail, sizeof tail - 1);
    text_add(&answer->body, fixed, sizeof fixed);
    snprintf(answer->kind, sizeof answer->kind, "Deployment");
    snprintf(answer->operation, sizeof answer->operation, "UPDATE");
    snprintf(answer->outcome, sizeof answer->outcome, "unchanged");
    return true;
}

bool admit_once(const struct settings *settings, const struct cluster *cluster, struct span body,
                struct admit_answer *answer, struct error *err)
{
    return admit(settings, cluster, ADMIT_MUTATE, body, answer, err);
}
