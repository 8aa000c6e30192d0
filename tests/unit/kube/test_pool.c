#include "kube/pool.h"

#include "base/auto.h"
#include "tests/unit/suite.h"

/* Threads make and end handles of one pool: libcurl's count of them has to be right, or the pool's
 * connections outlive it. */

#define THREADS 4
#define HANDLES 4000

static void *use(void *context)
{
    const struct pool *pool = context;

    for (int i = 0; i < HANDLES; i++) {
        CURL *easy = curl_easy_init();

        pool_use(pool, easy);
        curl_easy_cleanup(easy);
    }
    return NULL;
}

START_TEST(nobody_is_forgotten)
    {
        struct error err = {.message = ""};
        AUTO(pool) struct pool *pool = pool_make(&(struct pool_parts){0}, &err);
        pthread_t threads[THREADS];

        ck_assert_ptr_nonnull(pool);
        for (int i = 0; i < THREADS; i++)
            ck_assert_int_eq(pthread_create(&threads[i], NULL, use, pool), 0);
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        /* what is in use can not be changed */
        ck_assert_int_eq(curl_share_setopt(pool->share, CURLSHOPT_USERDATA, pool), CURLSHE_OK);
    }
END_TEST

SUITE(kube_pool)
{
    tcase_add_test(tests, nobody_is_forgotten);
}
