#include "kube/rate.h"

#include <math.h>

struct rate rate_make(double per_s, double burst, int64_t now_ms)
{
    return (struct rate){.per_s = per_s, .burst = burst, .tokens = burst, .last_ms = now_ms};
}

static void refill(struct rate *rate, int64_t now_ms)
{
    /* a clock that went back gives nothing */
    if (now_ms <= rate->last_ms)
        return;
    rate->tokens += (double)(now_ms - rate->last_ms) * rate->per_s / 1000.0;
    rate->last_ms = now_ms;
    if (rate->tokens > rate->burst)
        rate->tokens = rate->burst;
}

void rate_pace(struct rate *rate, double per_s, double burst, int64_t now_ms)
{
    refill(rate, now_ms);
    rate->per_s = per_s;
    rate->burst = burst;
    if (rate->tokens > burst)
        rate->tokens = burst;
}

int64_t rate_take(struct rate *rate, int64_t now_ms, int64_t max_ms)
{
    refill(rate, now_ms);

    double missing = 1.0 - rate->tokens;
    int64_t wait_ms = missing <= 0 ? 0 : (int64_t)ceil(missing * 1000.0 / rate->per_s);

    if (wait_ms > max_ms)
        return -1;
    rate->tokens -= 1.0;
    return wait_ms;
}
