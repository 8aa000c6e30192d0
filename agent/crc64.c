#include "agent/crc64.h"

#define POLYNOMIAL UINT64_C(0x95ac9329ac4bc9b5)

static uint64_t of_byte(uint64_t crc)
{
    for (int i = 0; i < 8; i++)
        crc = crc & 1 ? crc >> 1 ^ POLYNOMIAL : crc >> 1;
    return crc;
}

void crc64_init(struct crc64 *crc)
{
    for (unsigned i = 0; i < 256; i++)
        crc->table[i] = of_byte(i);
}

uint64_t crc64_add(const struct crc64 *crc, uint64_t so_far, struct span piece)
{
    for (size_t i = 0; i < piece.length; i++)
        so_far = so_far >> 8 ^ crc->table[(so_far ^ (unsigned char)piece.data[i]) & 0xFF];
    return so_far;
}
