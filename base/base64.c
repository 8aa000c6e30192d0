#include "base/base64.h"

#include <stdint.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct text *out, struct span bytes)
{
    if (bytes.length == 0)
        return;
    text_reserve(out, (bytes.length + 2) / 3 * 4);
    for (size_t i = 0; i < bytes.length; i += 3) {
        size_t left = bytes.length - i;
        uint32_t three = 0;

        for (size_t k = 0; k < 3; k++)
            three = three << 8 | (k < left ? (unsigned char)bytes.data[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            text_putc(out, k <= left ? alphabet[three >> (18 - 6 * k) & 63] : '=');
    }
}

/* 0 to 63; 64 for what is not in the alphabet. */
static uint32_t value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (uint32_t)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (uint32_t)(c - 'a') + 26;
    if (c >= '0' && c <= '9')
        return (uint32_t)(c - '0') + 52;
    return c == '+' ? 62 : c == '/' ? 63 : 64;
}

/* Four characters, of which the last `padding` are '='. */
static bool decode_four(struct text *out, const char *four, size_t padding)
{
    uint32_t bits = 0;

    for (size_t k = 0; k < 4; k++) {
        uint32_t value = k < 4 - padding ? value_of(four[k]) : 0;

        if (value == 64)
            return false;
        bits = bits << 6 | value;
    }
    if (padding && (bits & (padding == 2 ? 0xffffu : 0xffu)))
        return false;
    for (size_t k = 0; k < 3 - padding; k++)
        text_putc(out, (char)(bits >> (16 - 8 * k)));
    return true;
}

bool base64_decode(struct text *out, struct span text)
{
    size_t before = out->length;

    if (text.length == 0 || text.length % 4)
        return text.length == 0;
    text_reserve(out, text.length / 4 * 3 + 1);
    for (size_t i = 0; i < text.length; i += 4) {
        const char *four = text.data + i;
        bool last = i + 4 == text.length;
        size_t padding = !last || four[3] != '=' ? 0 : four[2] == '=' ? 2 : 1;

        if (!decode_four(out, four, padding)) {
            if (out->data)
                out->data[before] = '\0';
            out->length = before;
            return false;
        }
    }
    return true;
}
