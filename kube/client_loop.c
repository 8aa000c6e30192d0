#include "base/clock.h"
#include "base/wait.h"
#include "kube/transfer.h"

/* How long the loop sleeps when nobody wakes it; libcurl's own timers end it earlier. */
#define SLEEP_MAX_MS 10000

bool client_wait(struct kube_client *client, pthread_cond_t *changed, int64_t until_ms)
{
    return wait_on(changed, &client->mutex, until_ms);
}

bool transfer_start(struct transfer *transfer)
{
    struct kube_client *client = transfer->client;

    pthread_mutex_lock(&client->mutex);

    bool taken = !client->ended;

    if (taken) {
        atomic_fetch_add(&transfer->refs, 1);
        transfer->next = client->incoming;
        client->incoming = transfer;
    }
    pthread_mutex_unlock(&client->mutex);
    if (taken)
        curl_multi_wakeup(client->multi);
    return taken;
}

void transfer_wake(struct transfer *transfer)
{
    curl_multi_wakeup(transfer->client->multi);
}

/* The loop gives a transfer back: its caller is told, and the loop's reference goes. */
static void finish(struct transfer *transfer, CURLcode result)
{
    struct kube_client *client = transfer->client;
    long opened = 0;

    curl_easy_getinfo(transfer->easy, CURLINFO_SSL_VERIFYRESULT, &transfer->verified);
    curl_easy_getinfo(transfer->easy, CURLINFO_REQUEST_SIZE, &opened);
    curl_multi_remove_handle(client->multi, transfer->easy);
    pthread_mutex_lock(&client->mutex);
    transfer->connected = opened > 0;
    transfer->result = result;
    transfer->done = true;
    if (transfer->begun)
        client->facts.last_answer_s = clock_now_s();
    pthread_cond_signal(&transfer->changed);
    pthread_mutex_unlock(&client->mutex);
    transfer_unref(transfer);
}

static void remove_from(struct transfer **list, const struct transfer *transfer)
{
    while (*list && *list != transfer)
        list = &(*list)->next;
    if (*list)
        *list = transfer->next;
}

static void take_incoming(struct kube_client *client)
{
    pthread_mutex_lock(&client->mutex);

    struct transfer *incoming = client->incoming;

    client->incoming = NULL;
    pthread_mutex_unlock(&client->mutex);
    while (incoming) {
        struct transfer *transfer = incoming;

        incoming = transfer->next;
        transfer->next = client->running;
        client->running = transfer;
        curl_multi_add_handle(client->multi, transfer->easy);
    }
}

/* Ends what nobody waits for, and goes on with what has room again. */
static void attend(struct kube_client *client)
{
    bool all = atomic_load(&client->cancelled);
    struct transfer *next;

    for (struct transfer *transfer = client->running; transfer; transfer = next) {
        next = transfer->next;
        if (all || atomic_load(&transfer->unwanted)) {
            remove_from(&client->running, transfer);
            finish(transfer, CURLE_ABORTED_BY_CALLBACK);
        } else if (atomic_exchange(&transfer->resume, false)) {
            curl_easy_pause(transfer->easy, CURLPAUSE_CONT);
        }
    }
}

static void collect(struct kube_client *client)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(client->multi, &left))) {
        struct transfer *transfer = NULL;
        CURLcode result = message->data.result;

        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
        if (!transfer)
            continue;
        remove_from(&client->running, transfer);
        finish(transfer, result);
    }
}

/* After a cancel nothing is taken any more, and those who wait for their turn are told. */
static void end(struct kube_client *client)
{
    pthread_mutex_lock(&client->mutex);
    if (!client->ended) {
        client->ended = true;
        pthread_cond_broadcast(&client->changed);
    }
    pthread_mutex_unlock(&client->mutex);
}

static bool over(struct kube_client *client)
{
    pthread_mutex_lock(&client->mutex);

    bool over = client->stopping && !client->incoming && !client->running;

    pthread_mutex_unlock(&client->mutex);
    return over;
}

void *client_loop(void *context)
{
    struct kube_client *client = context;
    int running;

    while (!over(client)) {
        if (atomic_load(&client->cancelled))
            end(client);
        take_incoming(client);
        attend(client);
        curl_multi_perform(client->multi, &running);
        collect(client);
        if (!over(client))
            curl_multi_poll(client->multi, NULL, 0, SLEEP_MAX_MS, NULL);
    }
    return NULL;
}
