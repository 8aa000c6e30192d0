#include "controllers/agent_job.h"
#include "tests/unit/suite.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/base64.h"
#include "base/limits.h"

#define NOW_MS 100000
#define NOW_S 1000
#define INSTANCE "0f2c9b1e7d5a4c3b8e6f1a2b3c4d5e6f"
#define CLAIM "{\"agentVersion\":\"1\",\"instance\":\"" INSTANCE "\",\"role\":\"sidecar\"}"
#define WAITS                                                                                      \
    "{\"agentVersion\":\"1\",\"instance\":\"" INSTANCE "\",\"role\":\"sidecar\",\"waitSeconds\":"  \
    "9}"
#define TRIGGER "{\"agentVersion\":\"1\"}"

/* What desk and judge do, and what they were asked. */
struct world {
    bool expects;
    enum desk_answer answers;
    const char *answer;
    int code;    /* of a refusal */
    int review;  /* 0: good; else the code */
    bool is_pod; /* of the identity */
    int asked, reviewed;
    struct agent_side side;
    struct agent_job *job;
    char *token;
};

static bool expects(void *context, const struct agent_caller *presumed,
                    const struct message_claim *message)
{
    const struct world *world = context;

    ck_assert_str_eq(presumed->pod, "web-0");
    ck_assert_str_eq(message->instance, INSTANCE);
    return world->expects;
}

static enum desk_answer say(struct world *world, const struct agent_caller *caller,
                            struct text *answer, struct error *err)
{
    ck_assert_str_eq(caller->space, "shop");
    ck_assert_str_eq(caller->pod_uid, "p");
    ck_assert_uint_eq(answer->length, 0);
    world->asked++;
    if (world->answer)
        text_puts(answer, world->answer);
    if (world->code)
        error_set(err, (enum error_code)world->code, "told");
    return world->answers;
}

static enum desk_answer claim(void *context, const struct agent_caller *caller,
                              const struct message_claim *message, struct text *answer,
                              struct error *err)
{
    ck_assert_str_eq(message->agent_version, "1");
    return say(context, caller, answer, err);
}

static enum desk_answer trigger(void *context, const struct agent_caller *caller,
                                const struct message_trigger *message, struct text *answer,
                                struct error *err)
{
    ck_assert_str_eq(message->agent_version, "1");
    return say(context, caller, answer, err);
}

static char *copy_of(const char *text)
{
    return text_dup(text, strlen(text));
}

static bool review(void *context, struct span token, struct kube_identity *identity,
                   struct error *err)
{
    struct world *world = context;

    ck_assert(span_is(token, world->token));
    world->reviewed++;
    if (world->review)
        return error_set(err, (enum error_code)world->review, "no");
    *identity = (struct kube_identity){
        .user = json_object(),
        .space = copy_of("shop"),
        .account = copy_of("web"),
        .pod = world->is_pod ? copy_of("web-0") : NULL,
        .pod_uid = world->is_pod ? copy_of("p") : NULL,
    };
    return true;
}

static char *token_made(void)
{
    static const char payload[] =
        "{\"aud\":[\"granary\"],\"exp\":5000,\"kubernetes.io\":{\"namespace\":\"shop\",\"pod\":{"
        "\"name\":\"web-0\",\"uid\":\"p\"},\"serviceaccount\":{\"name\":\"web\",\"uid\":\"a\"}}}";
    AUTO(text) struct text text = {0};

    base64_encode(&text, span_of(payload));
    return text_format("h.%.*s.s", (int)strcspn(text_get(&text), "="), text_get(&text));
}

static void world_make(struct world *world, enum agent_call call, const char *body)
{
    world->side = (struct agent_side){
        .judge = {review, world},
        .desk = {.expects = expects, .claim = claim, .trigger = trigger, .context = world},
        .gate = agent_gate_make(),
    };
    world->token = token_made();
    world->job = agent_job_make(call);
    world->job->token = span_of(world->token);
    world->job->begun_ms = NOW_MS;
    text_puts(&world->job->body, body);
}

static void world_end(struct world *world)
{
    agent_job_free(world->job);
    agent_gate_free(world->side.gate);
    free(world->token);
}

/* AG1 to AG4, AG13 */
static const struct {
    const char *why;
    enum agent_call call;
    const char *body;
    struct world world;
    enum agent_outcome outcome;
    int status; /* of a refusal */
    int reviewed, asked;
} rows[] = {
    {"nothing for one who waits", AGENT_CLAIM, WAITS, {.is_pod = true}, AGENT_WAITS, 0, 0, 0},
    {"nothing at once", AGENT_CLAIM, CLAIM, {.is_pod = true}, AGENT_ANSWERS, 0, 0, 0},
    {"work",
     AGENT_CLAIM,
     WAITS,
     {true, DESK_ANSWERED, "{}", .is_pod = true},
     AGENT_ANSWERS,
     0,
     1,
     1},
    {"it was nothing after all",
     AGENT_CLAIM,
     WAITS,
     {true, DESK_WAIT, .is_pod = true},
     AGENT_WAITS,
     0,
     1,
     1},
    {"the same at once",
     AGENT_CLAIM,
     CLAIM,
     {true, DESK_WAIT, .is_pod = true},
     AGENT_ANSWERS,
     0,
     1,
     1},
    {"not of that pod", AGENT_CLAIM, WAITS, {true, .review = 401}, AGENT_REFUSES, 401, 1, 0},
    {"of no pod", AGENT_CLAIM, WAITS, {.expects = true}, AGENT_REFUSES, 403, 1, 0},
    {"nobody can say", AGENT_CLAIM, WAITS, {true, .review = 504}, AGENT_REFUSES, 503, 1, 0},
    {"we may not ask", AGENT_CLAIM, WAITS, {true, .review = 403}, AGENT_REFUSES, 503, 1, 0},
    {"no JSON", AGENT_CLAIM, "{", {.expects = true}, AGENT_REFUSES, 400, 0, 0},
    {"empty", AGENT_CLAIM, "", {.expects = true}, AGENT_REFUSES, 400, 0, 0},
    {"no claim", AGENT_CLAIM, "{}", {.expects = true}, AGENT_REFUSES, 422, 0, 0},
    {"a call that is no claim is judged always",
     AGENT_TRIGGER,
     TRIGGER,
     {false, DESK_ANSWERED, "{}", .is_pod = true},
     AGENT_ANSWERS,
     0,
     1,
     1},
    {"the desk refuses",
     AGENT_TRIGGER,
     TRIGGER,
     {true, DESK_REFUSED, .code = 410, .is_pod = true},
     AGENT_REFUSES,
     410,
     1,
     1},
    {"what it began to say goes",
     AGENT_TRIGGER,
     TRIGGER,
     {true, DESK_REFUSED, "{", .code = 409, .is_pod = true},
     AGENT_REFUSES,
     409,
     1,
     1},
    {"a fault of ours",
     AGENT_TRIGGER,
     TRIGGER,
     {true, DESK_REFUSED, .code = 500, .is_pod = true},
     AGENT_REFUSES,
     503,
     1,
     1},
    {"no reason at all",
     AGENT_TRIGGER,
     TRIGGER,
     {true, DESK_REFUSED, .is_pod = true},
     AGENT_REFUSES,
     503,
     1,
     1},
    {"only claims wait",
     AGENT_TRIGGER,
     TRIGGER,
     {true, DESK_WAIT, .is_pod = true},
     AGENT_REFUSES,
     503,
     1,
     1},
    {"no answer",
     AGENT_TRIGGER,
     TRIGGER,
     {true, DESK_ANSWERED, .is_pod = true},
     AGENT_REFUSES,
     503,
     1,
     1},
};

START_TEST(requests_come_to_an_outcome)
    {
        struct world world = rows[_i].world;

        world_make(&world, rows[_i].call, rows[_i].body);
        agent_job_run(&world.side, world.job, NOW_MS, NOW_S);
        ck_assert_msg(world.job->outcome == rows[_i].outcome, "%s", rows[_i].why);
        if (rows[_i].outcome == AGENT_REFUSES) {
            ck_assert_msg((int)world.job->refusal.code == rows[_i].status, "%s", rows[_i].why);
            ck_assert_int_eq(world.job->retry_after_s > 0, rows[_i].status == 503);
            ck_assert_uint_eq(world.job->answer.length, 0);
        }
        if (rows[_i].outcome == AGENT_ANSWERS)
            ck_assert_str_eq(text_get(&world.job->answer), "{}");
        ck_assert_int_eq(world.reviewed, rows[_i].reviewed);
        ck_assert_int_eq(world.asked, rows[_i].asked);
        world_end(&world);
    }
END_TEST

START_TEST(one_who_waits_is_asked_for_again)
    {
        struct world world = {.answers = DESK_ANSWERED, .answer = "{}", .is_pod = true};

        world_make(&world, AGENT_CLAIM, WAITS);
        agent_job_run(&world.side, world.job, NOW_MS, NOW_S);
        ck_assert_int_eq(world.job->outcome, AGENT_WAITS);
        ck_assert_int_eq(world.job->wait_until_ms, NOW_MS + 9000);
        /* a wake that comes while it is asked is not lost */
        atomic_store(&world.side.wakes, 7);
        world.expects = true;
        agent_job_run(&world.side, world.job, NOW_MS + 8999, NOW_S);
        ck_assert_int_eq(world.job->outcome, AGENT_ANSWERS);
        ck_assert_uint_eq(world.job->wakes, 7);
        ck_assert_int_eq(world.reviewed, 1);
        world_end(&world);
    }
END_TEST

START_TEST(a_wait_ends)
    {
        struct world world = {.is_pod = true};

        world_make(&world, AGENT_CLAIM, WAITS);
        agent_job_run(&world.side, world.job, NOW_MS, NOW_S);
        agent_job_run(&world.side, world.job, NOW_MS + 9000, NOW_S);
        ck_assert_int_eq(world.job->outcome, AGENT_ANSWERS);
        ck_assert_str_eq(text_get(&world.job->answer), "{}");
        world_end(&world);
    }
END_TEST

/* Asked for again and again, one who waits is one request. */
START_TEST(waiting_does_not_count_as_asking)
    {
        struct world world = {.expects = true, .answers = DESK_WAIT, .is_pod = true};

        world_make(&world, AGENT_CLAIM, WAITS);
        for (int i = 0; i < 3 * AGENT_REQUEST_BURST; i++) {
            agent_job_run(&world.side, world.job, NOW_MS, NOW_S);
            ck_assert_int_eq(world.job->outcome, AGENT_WAITS);
        }
        ck_assert_int_eq(world.reviewed, 1);
        world_end(&world);
    }
END_TEST

START_TEST(who_drains_refuses)
    {
        struct world world = {.expects = true, .answer = "{}", .is_pod = true};

        world_make(&world, AGENT_TRIGGER, TRIGGER);
        atomic_store(&world.side.draining, true);
        agent_job_run(&world.side, world.job, NOW_MS, NOW_S);
        ck_assert_int_eq(world.job->outcome, AGENT_REFUSES);
        ck_assert_int_eq(world.job->refusal.code, ERROR_UNAVAILABLE);
        ck_assert_int_eq(world.asked + world.reviewed, 0);
        world_end(&world);
    }
END_TEST

START_TEST(an_answer_has_a_limit)
    {
        AUTO(free) char *answer = text_alloc(MESSAGE_ANSWER_MAX_BYTES + 2);
        struct world world = {.answers = DESK_ANSWERED, .answer = answer, .is_pod = true};

        memset(answer, 'x', MESSAGE_ANSWER_MAX_BYTES + 1);
        world_make(&world, AGENT_TRIGGER, TRIGGER);
        agent_job_run(&world.side, world.job, NOW_MS, NOW_S);
        ck_assert_int_eq(world.job->outcome, AGENT_REFUSES);
        ck_assert_int_eq(world.job->refusal.code, ERROR_UNAVAILABLE);
        world_end(&world);
    }
END_TEST

SUITE(controllers_agent_job)
{
    suite_rows(tests, requests_come_to_an_outcome, rows);
    tcase_add_test(tests, one_who_waits_is_asked_for_again);
    tcase_add_test(tests, a_wait_ends);
    tcase_add_test(tests, waiting_does_not_count_as_asking);
    tcase_add_test(tests, who_drains_refuses);
    tcase_add_test(tests, an_answer_has_a_limit);
}
