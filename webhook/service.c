#include "webhook/service.h"

#include "base/auto.h"
#include "http/routes.h"

static const char *certificate_trouble(const struct credentials *credentials, int64_t now_s)
{
    if (!credentials)
        return "no good certificate was found";
    return certs_valid(credentials_facts(credentials), now_s) ? NULL : "not valid at this time";
}

/* What is known of the cluster, from a folder. */
static bool check_catalog(struct text *text, const struct state_facts *facts)
{
    bool known = http_check(text, "catalog", facts->loaded_s != 0, "never read without an error");

    if (text && known && !facts->good)
        text_puts(text, "[!]catalog: the last reading failed, the one before is in use\n");
    return known;
}

/* The same from its API server. */
static bool check_cluster(struct text *text, struct live *live, const struct state_facts *facts)
{
    AUTO(text) struct text kinds = {0};
    bool known = facts->loaded_s != 0;

    if (text && known && live_failing(live, &kinds))
        text_addf(text, "[!]cluster: can not be followed, answers come from what is known: %s\n",
                  text_get(&kinds));
    else if (text && known)
        text_puts(text, "[+]cluster ok\n");
    else if (text && live_missing(live, &kinds))
        text_addf(text, "[-]cluster: not known yet: %s\n", text_get(&kinds));
    else if (text)
        text_puts(text, "[-]cluster: not known yet\n");
    return known;
}

bool service_ready(struct service *service, int64_t now_s, struct text *text)
{
    AUTO(credentials) struct credentials *credentials = certs_store_get(service->certs);
    const char *trouble = certificate_trouble(credentials, now_s);
    struct state_facts facts = state_look(service->state);
    struct live *live = state_live(service->state);
    bool known = live ? check_cluster(text, live, &facts) : check_catalog(text, &facts);
    bool certificate = http_check(text, "certificate", !trouble, trouble ? trouble : "");
    bool staying = http_check(text, "shutdown", !atomic_load(&service->leaving), "under way");

    if (text && !settings_store_facts(service->settings).good)
        text_puts(text, "[!]settings: the last reading failed, those before are in use\n");
    return known && certificate && staying;
}

void service_metrics(struct service *service, int64_t now_s, struct text *text)
{
    AUTO(credentials) struct credentials *credentials = certs_store_get(service->certs);
    struct state_facts facts = state_look(service->state);
    struct settings_facts settings = settings_store_facts(service->settings);
    struct metrics_now now = {
        .certificate_not_after_s = credentials ? credentials_facts(credentials)->not_after_s : 0,
        .catalog_loaded_s = facts.loaded_s,
        .catalog_objects = facts.objects,
        .catalog_loads = facts.loads,
        .catalog_errors = facts.errors,
        .catalog_good = facts.good,
        .settings_good = settings.good,
        .settings_loads = settings.loads,
        .settings_errors = settings.errors,
        .ready = service_ready(service, now_s, NULL),
    };

    metrics_format(&service->metrics, &now, text);
    if (state_live(service->state))
        live_metrics(state_live(service->state), text);
}
