#pragma once

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/**
 * The first byte that does not stand for itself in a JSON string (a quote, a backslash, a control
 * character), or that is no ASCII; `end` when there is none. 16 bytes at once where possible.
 */
static inline const char *plain_end(const char *at, const char *end)
{
#ifdef __SSE2__
    for (; end - at >= 16; at += 16) {
        __m128i bytes = _mm_loadu_si128((const void *)at);
        /* signed: what is not ASCII is negative, and so below the blank like control characters */
        __m128i low = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
        __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
        __m128i slash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
        int found = _mm_movemask_epi8(_mm_or_si128(low, _mm_or_si128(quote, slash)));

        if (found)
            return at + __builtin_ctz((unsigned)found);
    }
#endif
    while (at < end && *at != '"' && *at != '\\' && (unsigned char)(*at - 0x20) < 0x60)
        at++;
    return at;
}
