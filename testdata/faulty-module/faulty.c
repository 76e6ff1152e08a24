/*
 * A PKCS#11 module that stands before SoftHSM and misbehaves on demand.
 *
 * It loads the module at SOFTHSM_MODULE (a compiler definition) and hands out its functions, but for those below. What
 * these do stands in the file that the environment variable NOONMARK_TEST_FAULTS names, read at each call:
 *
 *   ok                  as SoftHSM does (also if the file is missing)
 *   hang N              the next N calls of C_Sign do not return until the file says otherwise
 *   hang-initialize     C_Initialize does not return until the file says otherwise
 *   error CODE          C_Sign answers with this code (0x30: CKR_DEVICE_ERROR)
 *   error-once CODE     the next C_Sign that would make a signature answers with this code, those after it work
 *   swap                C_SignInit signs with another private key of the token than the one asked for
 *
 * Whatever it says, each call of C_Login adds a line to the file of the same name with ".logins" after it.
 *
 * Only what is needed of the standard's header is written down here: the function list is a version and 68 pointers.
 */
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long ulong_t;
typedef struct {
    unsigned char version[2];
    void *functions[68];
} function_list;
typedef struct {
    ulong_t type;
    void *value;
    ulong_t length;
} attribute;

/* Places in the function list, in the standard's order. */
enum { INITIALIZE = 0, LOGIN = 18, FIND_INIT = 26, FIND = 27, FIND_FINAL = 28, SIGN_INIT = 42, SIGN = 43 };
enum { RV_OK = 0, RV_GENERAL_ERROR = 5, CKA_CLASS = 0, CKO_PRIVATE_KEY = 3 };

typedef ulong_t (*initialize_fn)(void *);
typedef ulong_t (*login_fn)(ulong_t, ulong_t, unsigned char *, ulong_t);
typedef ulong_t (*find_init_fn)(ulong_t, attribute *, ulong_t);
typedef ulong_t (*find_fn)(ulong_t, ulong_t *, ulong_t, ulong_t *);
typedef ulong_t (*find_final_fn)(ulong_t);
typedef ulong_t (*sign_init_fn)(ulong_t, void *, ulong_t);
typedef ulong_t (*sign_fn)(ulong_t, unsigned char *, ulong_t, unsigned char *, ulong_t *);

static function_list real;
static function_list ours;
static atomic_int hung;
static atomic_int erred;

/* Reads the command; its argument goes to *argument. */
static void command(char *word, size_t size, ulong_t *argument)
{
    char line[64] = "";
    const char *path = getenv("NOONMARK_TEST_FAULTS");
    FILE *file = path ? fopen(path, "r") : NULL;
    if (file) {
        if (!fgets(line, sizeof line, file))
            line[0] = 0;
        fclose(file);
    }
    char *space = strchr(line, ' ');
    *argument = space ? strtoul(space + 1, NULL, 0) : 0;
    line[strcspn(line, " \n")] = 0;
    snprintf(word, size, "%s", line[0] ? line : "ok");
}

static void wait_while(const char *what)
{
    char word[32];
    ulong_t argument;
    do {
        usleep(5000);
        command(word, sizeof word, &argument);
    } while (strcmp(word, what) == 0);
}

static ulong_t faulty_initialize(void *arguments)
{
    char word[32];
    ulong_t argument;
    command(word, sizeof word, &argument);
    if (strcmp(word, "hang-initialize") == 0)
        wait_while("hang-initialize");
    return ((initialize_fn)real.functions[INITIALIZE])(arguments);
}

static ulong_t faulty_login(ulong_t session, ulong_t user, unsigned char *pin, ulong_t length)
{
    char path[4096];
    const char *control = getenv("NOONMARK_TEST_FAULTS");
    snprintf(path, sizeof path, "%s.logins", control ? control : "");
    FILE *file = fopen(path, "a");
    if (file) {
        fputs("login\n", file);
        fclose(file);
    }
    return ((login_fn)real.functions[LOGIN])(session, user, pin, length);
}

static ulong_t faulty_sign_init(ulong_t session, void *mechanism, ulong_t key)
{
    char word[32];
    ulong_t argument;
    command(word, sizeof word, &argument);
    if (strcmp(word, "swap") == 0) {
        ulong_t class = CKO_PRIVATE_KEY, found[8], count = 0;
        attribute template = {CKA_CLASS, &class, sizeof class};
        if (((find_init_fn)real.functions[FIND_INIT])(session, &template, 1) != RV_OK)
            return RV_GENERAL_ERROR;
        ((find_fn)real.functions[FIND])(session, found, 8, &count);
        ((find_final_fn)real.functions[FIND_FINAL])(session);
        for (ulong_t i = 0; i < count; i++)
            if (found[i] != key) {
                key = found[i];
                break;
            }
    }
    return ((sign_init_fn)real.functions[SIGN_INIT])(session, mechanism, key);
}

static ulong_t faulty_sign(ulong_t session, unsigned char *data, ulong_t length, unsigned char *signature,
                           ulong_t *signature_length)
{
    char word[32];
    ulong_t argument;
    command(word, sizeof word, &argument);
    if (strcmp(word, "hang") == 0) {
        if ((ulong_t)atomic_fetch_add(&hung, 1) < argument)
            wait_while("hang");
    } else {
        atomic_store(&hung, 0);
    }
    if (strcmp(word, "error-once") != 0)
        atomic_store(&erred, 0);
    if (strcmp(word, "error") == 0 || (strcmp(word, "error-once") == 0 && signature && atomic_fetch_add(&erred, 1) == 0)) {
        /* A failing C_Sign ends the operation (PKCS#11 v2.40 section 5.11): let SoftHSM end its own. */
        unsigned char scratch[1024];
        ulong_t scratch_length = sizeof scratch;
        ((sign_fn)real.functions[SIGN])(session, data, length, scratch, &scratch_length);
        return argument;
    }
    return ((sign_fn)real.functions[SIGN])(session, data, length, signature, signature_length);
}

ulong_t C_GetFunctionList(function_list **list)
{
    if (!ours.functions[INITIALIZE]) {
        void *library = dlopen(SOFTHSM_MODULE, RTLD_NOW | RTLD_LOCAL);
        if (!library)
            return RV_GENERAL_ERROR;
        ulong_t (*get)(function_list **) = (ulong_t(*)(function_list **))dlsym(library, "C_GetFunctionList");
        function_list *theirs = NULL;
        if (!get || get(&theirs) != RV_OK)
            return RV_GENERAL_ERROR;
        real = *theirs;
        ours = real;
        ours.functions[LOGIN] = (void *)faulty_login;
        ours.functions[SIGN_INIT] = (void *)faulty_sign_init;
        ours.functions[SIGN] = (void *)faulty_sign;
        ours.functions[INITIALIZE] = (void *)faulty_initialize;
    }
    *list = &ours;
    return RV_OK;
}
