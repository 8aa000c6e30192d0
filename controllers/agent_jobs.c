#include "controllers/agent_jobs.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"

/* First in, first out. */
struct line {
    struct agent_job *first, *last;
};

struct agent_jobs {
    struct agent_side *side;
    int wake;
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct line claims, others, done; /* under the lock, as is the rest */
    size_t claiming;                  /* threads that have a claim */
    bool ending;
    size_t count;
    pthread_t threads[AGENT_WORKERS];
};

static void push(struct line *line, struct agent_job *job)
{
    job->next = NULL;
    *(line->last ? &line->last->next : &line->first) = job;
    line->last = job;
}

static struct agent_job *pop(struct line *line)
{
    struct agent_job *job = line->first;

    if (!job)
        return NULL;
    line->first = job->next;
    if (!line->first)
        line->last = NULL;
    return job;
}

/* Under the lock. NULL: nothing that may be begun now. */
static struct agent_job *pick(struct agent_jobs *jobs)
{
    struct agent_job *job = pop(&jobs->others);

    if (!job && (jobs->claiming + 1 < AGENT_WORKERS || jobs->ending))
        job = pop(&jobs->claims);
    return job;
}

/* Who waited too long comes again: his connection is not to be lost while others are served. */
static void carry_out(struct agent_jobs *jobs, struct agent_job *job)
{
    int64_t now_ms = clock_mono_ms();

    if (now_ms - job->queued_ms > AGENT_QUEUE_MS)
        agent_job_refuse(job, "too many requests wait, try again");
    else
        agent_job_run(jobs->side, job, now_ms, clock_now_s());
}

static void *work(void *context)
{
    struct agent_jobs *jobs = context;
    struct agent_job *job;

    pthread_mutex_lock(&jobs->lock);
    for (;;) {
        while (!(job = pick(jobs)) && !jobs->ending)
            pthread_cond_wait(&jobs->more, &jobs->lock);
        if (!job)
            break;

        bool claim = job->call == AGENT_CLAIM;

        jobs->claiming += claim;
        pthread_mutex_unlock(&jobs->lock);
        carry_out(jobs, job);
        pthread_mutex_lock(&jobs->lock);
        jobs->claiming -= claim;
        push(&jobs->done, job);
        eventfd_write(jobs->wake, 1);
        /* one that could not be begun because of this one */
        if (claim && jobs->claims.first)
            pthread_cond_signal(&jobs->more);
    }
    pthread_mutex_unlock(&jobs->lock);
    return NULL;
}

struct agent_jobs *agent_jobs_start(struct agent_side *side, int wake, struct error *err)
{
    struct agent_jobs *jobs = text_alloc(sizeof *jobs);

    jobs->side = side;
    jobs->wake = wake;
    pthread_mutex_init(&jobs->lock, NULL);
    pthread_cond_init(&jobs->more, NULL);
    while (jobs->count < AGENT_WORKERS &&
           pthread_create(&jobs->threads[jobs->count], NULL, work, jobs) == 0)
        pthread_setname_np(jobs->threads[jobs->count++], "agent-job");
    if (jobs->count == AGENT_WORKERS)
        return jobs;
    error_set(err, ERROR_UNAVAILABLE, "can not start the threads that answer agents");
    agent_jobs_finish(jobs);
    agent_jobs_free(jobs);
    return NULL;
}

void agent_jobs_add(struct agent_jobs *jobs, struct agent_job *job)
{
    job->queued_ms = clock_mono_ms();
    pthread_mutex_lock(&jobs->lock);
    if (jobs->ending) {
        agent_job_refuse(job, "not the leader any more");
        push(&jobs->done, job);
        eventfd_write(jobs->wake, 1);
    } else {
        push(job->call == AGENT_CLAIM ? &jobs->claims : &jobs->others, job);
        pthread_cond_signal(&jobs->more);
    }
    pthread_mutex_unlock(&jobs->lock);
}

struct agent_job *agent_jobs_done(struct agent_jobs *jobs)
{
    pthread_mutex_lock(&jobs->lock);

    struct agent_job *first = jobs->done.first;

    jobs->done = (struct line){0};
    pthread_mutex_unlock(&jobs->lock);
    return first;
}

void agent_jobs_finish(struct agent_jobs *jobs)
{
    pthread_mutex_lock(&jobs->lock);
    jobs->ending = true;
    pthread_cond_broadcast(&jobs->more);
    pthread_mutex_unlock(&jobs->lock);
    for (size_t i = 0; i < jobs->count; i++)
        pthread_join(jobs->threads[i], NULL);
}

void agent_jobs_free(struct agent_jobs *jobs)
{
    if (!jobs)
        return;
    pthread_cond_destroy(&jobs->more);
    pthread_mutex_destroy(&jobs->lock);
    free(jobs);
}
