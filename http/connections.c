#include "http/connections.h"

#include <sys/resource.h>
#include <sys/socket.h>

#include "base/limits.h"
#include "base/log.h"

void connections_init(struct connections *all, const struct connection_times *times)
{
    *all = (struct connections){.times = *times};
    pthread_mutex_init(&all->lock, NULL);
}

void connections_done(struct connections *all)
{
    pthread_mutex_destroy(&all->lock);
}

static int64_t limit_of(const struct connection_times *times, enum connection_phase phase)
{
    const int64_t limits[] = {
        [PHASE_HANDSHAKE] = times->handshake_ms, [PHASE_IDLE] = times->idle_ms,
        [PHASE_HEAD] = times->head_ms,           [PHASE_REQUEST] = times->request_ms,
        [PHASE_WAIT] = times->wait_ms,           [PHASE_CUT] = 0,
    };

    return limits[phase];
}

void connections_enter(struct connections *all, struct connection *connection,
                       enum connection_phase phase, int64_t now_ms)
{
    atomic_store(&connection->phase, phase);
    atomic_store(&connection->since_ms, now_ms);
    atomic_store(&connection->deadline_ms, now_ms + limit_of(&all->times, phase));
    pthread_mutex_lock(&all->lock);
    connection->next = NULL;
    connection->previous = all->newest;
    *(all->newest ? &all->newest->next : &all->oldest) = connection;
    all->newest = connection;
    pthread_mutex_unlock(&all->lock);
    atomic_fetch_add(&all->count, 1);
}

void connections_leave(struct connections *all, struct connection *connection)
{
    pthread_mutex_lock(&all->lock);
    *(connection->previous ? &connection->previous->next : &all->oldest) = connection->next;
    *(connection->next ? &connection->next->previous : &all->newest) = connection->previous;
    pthread_mutex_unlock(&all->lock);
    atomic_fetch_sub(&all->count, 1);
}

void connection_enters(const struct connections *all, struct connection *connection,
                       enum connection_phase phase, int64_t now_ms)
{
    enum connection_phase before = atomic_load(&connection->phase);
    bool same_request = before == PHASE_HEAD && phase == PHASE_REQUEST;
    int64_t since_ms = same_request ? atomic_load(&connection->since_ms) : now_ms;

    atomic_store(&connection->since_ms, since_ms);
    atomic_store(&connection->deadline_ms, since_ms + limit_of(&all->times, phase));
    /* lost against the watching thread: it is cut */
    if (before != PHASE_CUT)
        atomic_compare_exchange_strong(&connection->phase, &before, phase);
}

void connection_hurries(struct connection *connection, int64_t limit_ms)
{
    int64_t latest_ms = atomic_load(&connection->since_ms) + limit_ms;

    if (latest_ms < atomic_load(&connection->deadline_ms))
        atomic_store(&connection->deadline_ms, latest_ms);
}

/* Its own thread wakes up by it, finds the end of the stream and closes. */
static void cut(struct connection *connection, int64_t now_ms)
{
    connection->cut_ms = now_ms;
    atomic_store(&connection->phase, PHASE_CUT);
    shutdown(connection->fd, SHUT_RDWR);
}

void connections_cut_late(struct connections *all, int64_t now_ms, struct connections_cut *cuts)
{
    pthread_mutex_lock(&all->lock);
    for (struct connection *one = all->oldest; one; one = one->next) {
        enum connection_phase phase = atomic_load(&one->phase);

        if (phase == PHASE_CUT || now_ms < atomic_load(&one->deadline_ms))
            continue;
        cuts->by_phase[phase]++;
        cut(one, now_ms);
    }
    pthread_mutex_unlock(&all->lock);
}

/* Under the lock. The list is in the order of arrival: the first one found is the oldest. */
static struct connection *victim(const struct connections *all)
{
    struct connection *longest = NULL;

    for (struct connection *one = all->oldest; one; one = one->next) {
        if (atomic_load(&one->phase) == PHASE_CUT)
            continue;
        if (!atomic_load(&one->served))
            return one;
        if (!longest || atomic_load(&one->since_ms) < atomic_load(&longest->since_ms))
            longest = one;
    }
    return longest;
}

bool connections_make_room(struct connections *all, int64_t now_ms)
{
    pthread_mutex_lock(&all->lock);

    struct connection *one = victim(all);

    if (one)
        cut(one, now_ms);
    pthread_mutex_unlock(&all->lock);
    return one != NULL;
}

size_t connections_stuck(struct connections *all, int64_t now_ms, int64_t limit_ms)
{
    size_t count = 0;

    pthread_mutex_lock(&all->lock);
    for (const struct connection *one = all->oldest; one; one = one->next)
        count += atomic_load(&one->phase) == PHASE_CUT && now_ms - one->cut_ms > limit_ms;
    pthread_mutex_unlock(&all->lock);
    return count;
}

size_t connections_possible(size_t wanted)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return wanted;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= wanted + DESCRIPTORS_RESERVED)
        return wanted;

    size_t possible =
        limit.rlim_cur > DESCRIPTORS_RESERVED ? limit.rlim_cur - DESCRIPTORS_RESERVED : 1;

    log_warn("fewer connections than wanted: the limit of open files is low",
             LOG_N("wanted", (int64_t)wanted), LOG_N("possible", (int64_t)possible));
    return possible;
}
