/* Verifies timestamp responses by TS_RESP_verify_response, over and over, and prints nanoseconds of CPU time a token.
 *
 * usage: openssl_ts STAMPS ROOT.der TIME SECONDS [CRL.der]
 *
 * STAMPS holds responses and data in turn, each after its length in four octets. Each response is decoded anew; root and CRL
 * are read once. What is checked: the signature, the signer's certificate and purpose, its chain to the root at TIME, the
 * signing-certificate attribute, the version, the imprint of the data; with a CRL also that each certificate is not revoked.
 */

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ts.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MAX_STAMPS 1000

struct part {
    unsigned char *octets;
    size_t length;
};

static struct part responses[MAX_STAMPS], data[MAX_STAMPS];

static void fail(const char *what) {
    fprintf(stderr, "%s\n", what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static int read_part(FILE *file, struct part *part) {
    unsigned char length[4];
    if (fread(length, 1, 4, file) != 4)
        return 0;
    part->length = (size_t)length[0] << 24 | (size_t)length[1] << 16 | (size_t)length[2] << 8 | length[3];
    part->octets = malloc(part->length);
    if (part->octets == NULL || fread(part->octets, 1, part->length, file) != part->length)
        fail("the stamps are cut short");
    return 1;
}

static double cpu_ns(void) {
    struct timespec now;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) != 0)
        fail("no clock of CPU time");
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void verify(X509_STORE *store, const struct part *response, const struct part *of) {
    const unsigned char *at = response->octets;
    TS_RESP *read = d2i_TS_RESP(NULL, &at, (long)response->length);
    TS_VERIFY_CTX *context = TS_VERIFY_CTX_new();
    if (read == NULL || context == NULL)
        fail("a response can't be read");
    TS_VERIFY_CTX_set_flags(context, TS_VFY_SIGNATURE | TS_VFY_VERSION | TS_VFY_DATA | TS_VFY_SIGNER);
    X509_STORE_up_ref(store);
    TS_VERIFY_CTX_set_store(context, store);
    TS_VERIFY_CTX_set_data(context, BIO_new_mem_buf(of->octets, (int)of->length));
    if (TS_RESP_verify_response(context, read) != 1)
        fail("a response does not verify");
    TS_VERIFY_CTX_free(context);
    TS_RESP_free(read);
}

int main(int argc, char **argv) {
    if (argc != 5 && argc != 6)
        fail("usage: openssl_ts STAMPS ROOT.der TIME SECONDS [CRL.der]");
    FILE *file = fopen(argv[1], "rb");
    size_t count = 0;
    if (file == NULL)
        fail("no stamps");
    while (count < MAX_STAMPS && read_part(file, &responses[count])) {
        if (!read_part(file, &data[count++]))
            fail("a response without data");
    }
    fclose(file);
    X509_STORE *store = X509_STORE_new();
    BIO *root_file = BIO_new_file(argv[2], "rb");
    X509 *root = root_file == NULL ? NULL : d2i_X509_bio(root_file, NULL);
    if (count == 0 || root == NULL || X509_STORE_add_cert(store, root) != 1)
        fail("no stamps, or no root");
    X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store), (time_t)atoll(argv[3]));
    if (argc == 6) {
        BIO *crl_file = BIO_new_file(argv[5], "rb");
        X509_CRL *crl = crl_file == NULL ? NULL : d2i_X509_CRL_bio(crl_file, NULL);
        if (crl == NULL || X509_STORE_add_crl(store, crl) != 1)
            fail("no CRL");
        X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
    }
    double enough_ns = atof(argv[4]) * 1e9, start_ns = 0, taken_ns = 0;
    double tokens = 0;
    /* The first turn is not counted: it loads what the library loads once. */
    for (int turn = 0; taken_ns < enough_ns; turn++) {
        if (turn == 1)
            start_ns = cpu_ns();
        for (size_t at = 0; at < count; at++)
            verify(store, &responses[at], &data[at]);
        if (turn > 0) {
            tokens += (double)count;
            taken_ns = cpu_ns() - start_ns;
        }
    }
    printf("%.1f\n", taken_ns / tokens);
    return 0;
}
