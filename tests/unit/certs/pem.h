#pragma once

#include <stdbool.h>
#include <stdint.h>

/** A certificate to be made for a test. */
struct pem_wish {
    int64_t from_s, to_s;
    const char *name;    /* DNS alternative name; NULL: none */
    const char *purpose; /* OID of the only extended key usage; NULL: none is named */
    bool rsa_1024, sha1, authority;
};

/** PEM texts of a key and its certificate, signed by itself. */
struct pem_pair {
    char key[4096], cert[4096];
};

/** Makes them; aborts when GnuTLS can not. */
void pem_make(struct pem_pair *pair, const struct pem_wish *wish);
