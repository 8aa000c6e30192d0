#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>

#include "base/auto.h"
#include "kube/catalog.h"
#include "kube/catalog_files.h"

/* A change is reported after so long without another one, at most so long after the first. */
#define QUIET_MS 60
#define POSTPONED_MAX_MS 1000

/* How often it is looked whether the path still leads to the same folder: no event tells when it
 * is made again, or when a link on the way to it is turned. */
#define LOOK_MS 500

/* How often a change is assumed when the system had no more watches to give. */
#define BLIND_MS 5000

#define EVENTS                                                                                     \
    (IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB |            \
     IN_DELETE_SELF | IN_MOVE_SELF)

struct catalog_watch {
    char *path;
    void (*changed)(void *context);
    void *context;
    int inotify, stop;
    pthread_t thread;
    int *watches; /* descriptors of what is watched now */
    size_t count;
    bool blind;       /* not all could be watched */
    struct stat root; /* all zero when it is missing */
};

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct stat look(const char *path)
{
    struct stat status;

    return stat(path, &status) < 0 ? (struct stat){0} : status;
}

static bool contains(const int *watches, size_t count, int watch)
{
    for (size_t i = 0; i < count; i++)
        if (watches[i] == watch)
            return true;
    return false;
}

/* Watches one folder or file. What has vanished meanwhile, or may not be read, is told by the
 * folder around it. */
static void add(struct catalog_watch *watch, const char *path)
{
    int descriptor = inotify_add_watch(watch->inotify, path, EVENTS);

    if (descriptor < 0) {
        watch->blind |= errno == ENOSPC || errno == ENOMEM;
        return;
    }
    watch->watches = text_realloc(watch->watches, (watch->count + 1) * sizeof *watch->watches);
    watch->watches[watch->count++] = descriptor;
}

/* Watches all that is there now, and no longer what is not. */
static void renew(struct catalog_watch *watch)
{
    AUTO(catalog_entries) struct catalog_entries entries = {0};
    AUTO(free) int *old = watch->watches;
    size_t old_count = watch->count;

    watch->watches = NULL;
    watch->count = 0;
    watch->blind = false;
    watch->root = look(watch->path);
    catalog_list(watch->path, &entries);
    for (size_t i = 0; i < entries.count; i++)
        if (entries.items[i].kind == CATALOG_FOLDER || entries.items[i].link)
            add(watch, entries.items[i].path);
    for (size_t i = 0; i < old_count; i++)
        if (!contains(watch->watches, watch->count, old[i]))
            inotify_rm_watch(watch->inotify, old[i]);
}

/* Files that nobody reads come and go (.swp); only ConfigMap mounts are turned by a hidden name. */
static bool matters(const struct inotify_event *event)
{
    if (event->mask & IN_Q_OVERFLOW)
        return true;
    if (event->mask & IN_IGNORED)
        return false;
    return !event->len || event->name[0] != '.' || strcmp(event->name, "..data") == 0;
}

/* Takes all waiting events. True when one of them matters. */
static bool drain(struct catalog_watch *watch)
{
    char buffer[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
    bool changed = false;
    ssize_t count;

    while ((count = read(watch->inotify, buffer, sizeof buffer)) > 0) {
        const struct inotify_event *event;

        for (char *at = buffer; at < buffer + count; at += sizeof *event + event->len) {
            event = (const struct inotify_event *)(const void *)at;
            changed |= matters(event);
        }
    }
    return changed;
}

enum wake { WAKE_STOP, WAKE_EVENT, WAKE_TIMEOUT };

static enum wake wait_ms(struct catalog_watch *watch, int timeout_ms)
{
    struct pollfd fds[] = {{.fd = watch->stop, .events = POLLIN},
                           {.fd = watch->inotify, .events = POLLIN}};
    int ready = poll(fds, 2, timeout_ms);

    if (fds[0].revents)
        return WAKE_STOP;
    return ready == 0 ? WAKE_TIMEOUT : WAKE_EVENT;
}

/* Nothing has happened for a while: has something that sends no event? */
static bool changed_silently(const struct catalog_watch *watch)
{
    struct stat root = look(watch->path);

    return watch->blind || root.st_dev != watch->root.st_dev || root.st_ino != watch->root.st_ino;
}

/* Waits for the first change. False when the thread is to end. */
static bool wait_for_change(struct catalog_watch *watch)
{
    for (;;) {
        enum wake wake = wait_ms(watch, watch->blind ? BLIND_MS : LOOK_MS);

        if (wake == WAKE_STOP)
            return false;
        if (wake == WAKE_EVENT ? drain(watch) : changed_silently(watch))
            return true;
    }
}

/* Waits until nothing has changed for a while, but not for ever. False when the thread is to end.
 */
static bool wait_for_quiet(struct catalog_watch *watch)
{
    int64_t first_ms = now_ms(), last_ms = first_ms;

    for (;;) {
        int64_t now = now_ms();
        int64_t quiet_ms = last_ms + QUIET_MS - now;
        int64_t left_ms = first_ms + POSTPONED_MAX_MS - now;
        int64_t timeout_ms = quiet_ms < left_ms ? quiet_ms : left_ms;

        if (timeout_ms <= 0)
            return true;

        enum wake wake = wait_ms(watch, (int)timeout_ms);

        if (wake == WAKE_STOP)
            return false;
        if (wake == WAKE_EVENT && drain(watch))
            last_ms = now_ms();
    }
}

static void *follow(void *argument)
{
    struct catalog_watch *watch = argument;

    while (wait_for_change(watch) && wait_for_quiet(watch)) {
        /* watched first, then read: what changes in between is told again */
        renew(watch);
        watch->changed(watch->context);
    }
    return NULL;
}

static void release(struct catalog_watch *watch)
{
    if (watch->inotify >= 0)
        close(watch->inotify);
    if (watch->stop >= 0)
        close(watch->stop);
    free(watch->watches);
    free(watch->path);
    free(watch);
}

/* Signals are for the program's own threads. */
static int start_thread(struct catalog_watch *watch)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);

    int number = pthread_create(&watch->thread, NULL, follow, watch);

    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return number;
}

static bool begin(struct catalog_watch *watch, struct error *err)
{
    const char *shown = catalog_shown(watch->path);

    if (watch->inotify < 0 || watch->stop < 0)
        return error_set(err, ERROR_INTERNAL, "%s can not be watched: %s", shown,
                         strerrordesc_np(errno));
    renew(watch);
    if (!watch->root.st_ino)
        return error_set(err, ERROR_NOT_FOUND, "%s: does not exist", shown);
    if (watch->blind)
        return error_set(err, ERROR_INTERNAL,
                         "%s can not be watched: raise fs.inotify.max_user_watches", shown);

    int number = start_thread(watch);

    if (number)
        return error_set(err, ERROR_INTERNAL, "%s can not be watched: %s", shown,
                         strerrordesc_np(number));
    return true;
}

struct catalog_watch *catalog_watch_start(const char *path, void (*changed)(void *context),
                                          void *context, struct error *err)
{
    struct catalog_watch *watch = text_alloc(sizeof *watch);

    watch->path = text_dup(path, strlen(path));
    watch->changed = changed;
    watch->context = context;
    watch->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    watch->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (begin(watch, err))
        return watch;
    release(watch);
    return NULL;
}

void catalog_watch_stop(struct catalog_watch *watch)
{
    uint64_t one = 1;

    if (!watch)
        return;
    if (write(watch->stop, &one, sizeof one) != sizeof one)
        abort();
    pthread_join(watch->thread, NULL);
    release(watch);
}
