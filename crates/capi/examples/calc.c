/* A language in C: a source is postfix arithmetic, and worldage keeps its results right.
 *
 * Words: a number, `+`, `*`, `x` (the argument), and the name of another function, which is
 * applied to the top of the stack. Code is a list of operations; linking makes a closure of it,
 * whose calls go through the cells of the callees. */
#include "worldage.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum { PUSH, ADD, MUL, ARG, CALL } Kind;

/* An operation; `value` is a number or, for CALL, that of a mention: bytes that a stage gives may
 * be read by another process, where instances have other names. */
typedef struct {
    Kind kind;
    uint64_t value;
} Op;

/* What is linked: operations whose calls are cells. */
typedef struct {
    size_t count;
    struct {
        Kind kind;
        int64_t value;
        const void *const *cell;
    } ops[];
} Closure;

static int64_t run(const Closure *closure, int64_t argument) {
    int64_t stack[64];
    size_t top = 0;
    for (size_t i = 0; i < closure->count; i++) {
        switch (closure->ops[i].kind) {
        case PUSH: stack[top++] = closure->ops[i].value; break;
        case ARG: stack[top++] = argument; break;
        case ADD: top--; stack[top - 1] += stack[top]; break;
        case MUL: top--; stack[top - 1] *= stack[top]; break;
        case CALL: stack[top - 1] = run(*closure->ops[i].cell, stack[top - 1]); break;
        }
    }
    return stack[0];
}

static WaType integer;

static WaStatus infer(void *user, WaContext cx, WaInstance self, const uint8_t *source, size_t length) {
    (void)user, (void)self;
    /* All bytes of it, also between the fields: equal sources give equal bytes. */
    Op ops[64] = {0};
    size_t count = 0, depth = 0;
    char text[256];
    snprintf(text, sizeof text, "%.*s", (int)length, (const char *)source);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
        Op *op = &ops[count++];
        op->value = 0;
        size_t needs = 0;
        if (isdigit((unsigned char)*word)) {
            op->kind = PUSH, op->value = strtoull(word, NULL, 10);
        } else if (!strcmp(word, "x")) {
            op->kind = ARG;
        } else if (!strcmp(word, "+") || !strcmp(word, "*")) {
            op->kind = *word == '+' ? ADD : MUL, needs = 2;
        } else {
            WaInstance callee;
            WaStatus status = wa_lookup(cx, word, &integer, 1, &callee);
            if (status == WA_STATUS_NO_METHOD) {
                char message[300];
                snprintf(message, sizeof message, "`%s` is not defined", word);
                return wa_fail(cx, message);
            }
            if (status != WA_STATUS_OK) {
                return status;
            }
            uint32_t mention;
            status = wa_mention_instance(cx, callee, &mention);
            if (status != WA_STATUS_OK) {
                return status;
            }
            op->kind = CALL, op->value = mention, needs = 1;
        }
        if (depth < needs) {
            return wa_fail(cx, "the stack is empty");
        }
        depth = depth - needs + 1;
        if (count == 64) {
            return wa_fail(cx, "too many words");
        }
    }
    if (depth != 1) {
        return wa_fail(cx, "one value must be left");
    }
    return wa_give_inferred(cx, (const uint8_t *)ops, count * sizeof *ops, NULL, 0);
}

static WaStatus codegen(void *user, WaContext cx, WaInstance self, const uint8_t *body, size_t length) {
    (void)user;
    size_t count = length / sizeof(Op);
    Op ops[64];
    memcpy(ops, body, length);
    for (size_t i = 0; i < count; i++) {
        if (ops[i].kind == CALL) {
            WaInstance callee;
            uint32_t mention;
            WaStatus status = wa_mentioned_instance(cx, self, (uint32_t)ops[i].value, &callee);
            if (status == WA_STATUS_OK) {
                status = wa_calls(cx, callee);
            }
            /* The code has mentions of its own. */
            if (status == WA_STATUS_OK) {
                status = wa_mention_instance(cx, callee, &mention);
            }
            if (status != WA_STATUS_OK) {
                return status;
            }
            ops[i].value = mention;
        }
    }
    return wa_give_code(cx, (const uint8_t *)ops, length);
}

static WaStatus link(void *user, WaContext cx, WaInstance self, const uint8_t *code, size_t length) {
    (void)user;
    size_t count = length / sizeof(Op);
    Op ops[64];
    memcpy(ops, code, length);
    Closure *closure = malloc(sizeof *closure + count * sizeof closure->ops[0]);
    closure->count = count;
    for (size_t i = 0; i < count; i++) {
        closure->ops[i].kind = ops[i].kind;
        closure->ops[i].value = (int64_t)ops[i].value;
        closure->ops[i].cell = NULL;
        if (ops[i].kind == CALL) {
            WaInstance callee;
            WaStatus status = wa_mentioned_instance(cx, self, (uint32_t)ops[i].value, &callee);
            if (status == WA_STATUS_OK) {
                status = wa_cell(cx, callee, &closure->ops[i].cell);
            }
            if (status != WA_STATUS_OK) {
                free(closure);
                return status;
            }
        }
    }
    return wa_give_entry(cx, closure, NULL);
}

static int freed = 0;

static void unlink_closure(void *user, const void *entry, void *data) {
    (void)user, (void)data;
    freed++;
    free((void *)entry);
}

static void check(WaStatus status, const char *what) {
    if (status != WA_STATUS_OK) {
        fprintf(stderr, "%s: %s\n", what, wa_last_error());
        exit(1);
    }
}

static void define(WaSession session, const char *name, const char *source) {
    WaEdit edit;
    uint64_t world;
    WaTable base = {0};
    check(wa_edit_new(session, &edit), "edit");
    check(wa_edit_define(edit, base, name, &integer, 1, (const uint8_t *)source, strlen(source)), "define");
    check(wa_edit_commit(edit, &world), "commit");
    printf("world %d: %s = %s\n", (int)world, name, source);
}

static const char *const stages[] = {"infer", "codegen", "link"};

static void tell(void *user, WaStage stage, WaOutcome outcome, const char *name) {
    (void)user;
    printf("  %s %s%s\n", stages[stage], outcome == WA_OUTCOME_STORED ? "stored:" : "", name);
}

static void why(void *user, WaStage stage, WaOutcome outcome, const char *because) {
    static const char *const outcomes[] = {"ran", "stored", "reused"};
    (void)user;
    printf("  %s %s%s%s\n", stages[stage], outcomes[outcome], *because ? ": " : "", because);
}

static void warn(void *user, const char *message) {
    (void)user;
    fprintf(stderr, "%s\n", message);
}

static void call(WaSession session, WaHandle handle, int64_t argument) {
    const void *entry;
    WaStatus status = wa_handle_entry(handle, &entry);
    check(wa_take_log(session, tell, NULL), "log");
    if (status == WA_STATUS_OK) {
        printf("  => %d\n", (int)run(entry, argument));
    } else {
        printf("  error %d: %s\n", status, wa_last_error());
    }
}

static void mistake(const char *what, WaStatus status) {
    printf("%s: error %d: %s\n", what, status, wa_last_error());
}

static const WaView view = {0};
static WaShard shard;

static WaSession open_session(void) {
    WaStages functions = {NULL, infer, codegen, link, unlink_closure};
    WaSession session;
    WaType any;
    /* One thread: the order of the log is then always the same. */
    check(wa_session_open(&functions, 1, &session), "open");
    check(wa_type_any(session, &any), "any");
    check(wa_type_declare(session, "Int", any, false, &integer), "declare");
    check(wa_shard(session, "default", view, &shard), "shard");
    return session;
}

/* Results that outlive the process: run it twice with one folder. What comes before `f`, in
 * whatever number, does not matter to what is stored of it. */
static int stored(const char *folder, const char *square, int others) {
    WaSession session = open_session();
    WaInstance instance;
    WaHandle handle;
    WaStoreStats stats;
    check(wa_store_on(session, folder, NULL, "calc 1.0", warn, NULL), "store");
    for (int i = 0; i < others; i++) {
        char name[20];
        snprintf(name, sizeof name, "other%d", i);
        define(session, name, "x 1 +");
        check(wa_find(session, view, name, &integer, 1, &instance), "find");
    }
    define(session, "square", square);
    define(session, "cube", "x x square *");
    define(session, "f", "x cube x square + 1 +");
    check(wa_find(session, view, "f", &integer, 1, &instance), "find");
    check(wa_handle_new(session, instance, shard, 0, &handle), "handle");
    call(session, handle, 3);
    printf("why f:\n");
    check(wa_explain(session, instance, shard, why, NULL), "explain");
    check(wa_store_stats(session, &stats), "stats");
    printf("rejected %d\n", (int)stats.rejected);
    check(wa_store_off(session), "off");
    mistake("off", wa_store_clear(session));
    check(wa_handle_release(handle), "release");
    check(wa_session_close(session), "close");
    return 0;
}

static int live(void) {
    WaSession session = open_session();
    WaInstance instance;
    WaHandle handle, before;
    define(session, "square", "x x *");
    define(session, "f", "x square 1 +");
    check(wa_find(session, view, "f", &integer, 1, &instance), "find");
    check(wa_handle_new(session, instance, shard, 0, &handle), "handle");
    check(wa_handle_new(session, instance, shard, 2, &before), "handle of world 2");
    call(session, handle, 6);
    call(session, handle, 7);

    define(session, "square", "x x * 2 *");
    call(session, handle, 6);
    printf("why f:\n");
    check(wa_explain(session, instance, shard, why, NULL), "explain");
    printf("in world 2:\n");
    call(session, before, 6);

    define(session, "square", "x unknown");
    call(session, handle, 6);
    define(session, "unknown", "x 3 +");
    call(session, handle, 6);

    /* Mistakes are errors. */
    check(wa_session_close(session), "close");
    mistake("closed", wa_session_close(session));
    check(wa_handle_release(handle), "release");
    check(wa_handle_release(before), "release");
    const void *entry;
    mistake("released", wa_handle_entry(handle, &entry));
    mistake("null", wa_session_open(NULL, 1, &session));
    printf("freed %s\n", freed > 0 ? "closures" : "nothing");
    return 0;
}

/* Without arguments: redefinition and mistakes. With FOLDER SQUARE OTHERS: a program on a store. */
int main(int argc, char **argv) {
    return argc == 4 ? stored(argv[1], argv[2], atoi(argv[3])) : live();
}
