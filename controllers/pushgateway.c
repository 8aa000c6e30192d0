#include "controllers/pushgateway.h"

#include <stdlib.h>
#include <string.h>

#include "api/names.h"
#include "base/auto.h"
#include "base/text.h"
#include "kube/client.h"

/* One request with its repetitions: who ends waits so long at most. */
#define TIMEOUT_MS 5000

/* Requests a second, and at once: a new leader pushes all there is. */
#define RATE 50
#define BURST 100

/* It says nothing but what is wrong. */
#define ANSWER_MAX_BYTES (64u << 10)

struct pushgateway {
    struct kube_client *client;
};

static char *without_slashes(const char *url)
{
    size_t length = strlen(url);

    while (length > 0 && url[length - 1] == '/')
        length--;
    return text_dup(url, length);
}

struct pushgateway *pushgateway_make(const char *url, const char *ca, struct error *err)
{
    AUTO(kube_config) struct kube_config config = {.server = without_slashes(url)};
    size_t length = ca ? strlen(ca) : 0;
    const struct kube_client_limits limits = {
        .rate = RATE, .burst = BURST, .user_agent = "granary-controller"};
    struct kube_client *client;
    struct pushgateway *gateway;

    if (ca)
        config.ca = (struct kube_pem){.data = text_dup(ca, length), .length = length};
    client = kube_client_start(&config, &limits, err);
    if (!client)
        return NULL;
    gateway = text_alloc(sizeof *gateway);
    *gateway = (struct pushgateway){client};
    return gateway;
}

void pushgateway_free(struct pushgateway *gateway)
{
    if (!gateway)
        return;
    kube_client_stop(gateway->client);
    free(gateway);
}

static bool ask(struct pushgateway *gateway, const char *method, const char *job, struct span body,
                struct error *err)
{
    AUTO(kube_answer) struct kube_answer answer = {0};
    AUTO(free) char *path = text_format("/metrics/job/%s", job);
    const struct kube_request request = {
        .method = method,
        .path = path,
        .content_type = "text/plain; version=0.0.4",
        .accept = "text/plain",
        .body = body,
        .timeout_ms = TIMEOUT_MS,
        .answer_max = ANSWER_MAX_BYTES,
    };

    /* it stands in a path */
    if (!name_is_subdomain(span_of(job)))
        return error_set(err, ERROR_INVALID, "a job can not be called so");
    return kube_call(gateway->client, &request, &answer, err) || error_wrap(err, "the Pushgateway");
}

bool pushgateway_add(struct pushgateway *gateway, const char *job, struct span metrics,
                     struct error *err)
{
    return ask(gateway, "POST", job, metrics, err);
}

bool pushgateway_delete(struct pushgateway *gateway, const char *job, struct error *err)
{
    return ask(gateway, "DELETE", job, (struct span){0}, err);
}
