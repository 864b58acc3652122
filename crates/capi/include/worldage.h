/* The C interface of worldage. Made by cbindgen; `docs/book` has a chapter on it. */

#ifndef WORLDAGE_H
#define WORLDAGE_H



#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/*
 What came of a call.
 */
typedef enum {
  /*
   Done.
   */
  WA_STATUS_OK = 0,
  /*
   A null pointer, text that is not UTF-8, a thing that was released, that is of another
   session or that never was, or a question that this stage cannot ask.
   */
  WA_STATUS_INVALID_ARGUMENT = 1,
  /*
   No method takes these arguments, or none has this signature.
   */
  WA_STATUS_NO_METHOD = 2,
  /*
   Several methods take these arguments and none is most specific.
   */
  WA_STATUS_AMBIGUOUS = 3,
  /*
   The edit was refused; the world is as before.
   */
  WA_STATUS_REFUSED = 4,
  /*
   A stage failed: the message is that of the stage.
   */
  WA_STATUS_STAGE_FAILED = 5,
  /*
   The world is no longer callable, or does not exist yet.
   */
  WA_STATUS_NO_SUCH_WORLD = 6,
  /*
   A stage used the session that runs it: it asks its context instead.
   */
  WA_STATUS_DURING_STAGE = 7,
  /*
   The engine needs something else first and runs the stage again: the stage returns this.
   */
  WA_STATUS_STOP = 8,
  /*
   A fault of this library. The session goes on.
   */
  WA_STATUS_PANICKED = 9,
  /*
   The store's folder cannot be emptied.
   */
  WA_STATUS_STORE = 10,
} WaStatus;

/*
 One of the three stages.
 */
typedef enum {
  /*
   Source to inferred.
   */
  WA_STAGE_INFER = 0,
  /*
   Inferred to code.
   */
  WA_STAGE_CODEGEN = 1,
  /*
   Code to an entry.
   */
  WA_STAGE_LINK = 2,
} WaStage;

/*
 How a stage's result came about.
 */
typedef enum {
  /*
   The stage ran.
   */
  WA_OUTCOME_RAN = 0,
  /*
   It came from the store.
   */
  WA_OUTCOME_STORED = 1,
  /*
   It is that of before.
   */
  WA_OUTCOME_REUSED = 2,
} WaOutcome;

/*
 A running stage.
 */
typedef struct {
  /*
   Its number.
   */
  uint64_t id;
} WaContext;

/*
 A type.
 */
typedef struct {
  /*
   Its number.
   */
  uint64_t id;
} WaType;

/*
 A method on concrete argument types.
 */
typedef struct {
  /*
   Its number.
   */
  uint64_t id;
} WaInstance;

/*
 A stage: it is given bytes (infer the method's source, codegen what infer gave, link what
 codegen gave), asks its context for everything else, gives its result with `wa_give_…` or
 fails with `wa_fail`, and returns `Ok`, or the status of a question that was not `Ok`.

 It may run on any thread, on several at once, more than once, and must be a pure function of
 its input and what its context told it. It must not leave by `longjmp` or an exception.

 The bytes that it gives hold no pointer and none of this process's numbers: they name
 instances and types by `wa_mention_instance` and `wa_mention_type`.
 */
typedef WaStatus (*WaStageFunction)(void *user,
                                    WaContext context,
                                    WaInstance instance,
                                    const uint8_t *input,
                                    size_t length);

/*
 The stages of a compiler.
 */
typedef struct {
  /*
   Given to each function.
   */
  void *user;
  /*
   Source to inferred bytes and a summary (`wa_give_inferred`).
   */
  WaStageFunction infer;
  /*
   Inferred bytes to code (`wa_give_code`).
   */
  WaStageFunction codegen;
  /*
   Code to an entry (`wa_give_entry`).
   */
  WaStageFunction link;
  /*
   Told of each entry that nothing calls any more, with what link gave beside it; may be null.
   */
  void (*unlink)(void *user, const void *entry, void *data);
} WaStages;

/*
 One compiler with its definitions, worlds and code.
 */
typedef struct {
  /*
   Its number.
   */
  uint64_t id;
} WaSession;

/*
 A table of methods; 0 is the base table.
 */
typedef struct {
  /*
   Its number.
   */
  uint64_t id;
} WaTable;

/*
 A stack of tables; 0 is the base table alone.
 */
typedef struct {
  /*
   Its number.
   */
  uint64_t id;
} WaView;

/*
 What code is made for.
 */
typedef struct {
  /*
   Its number.
   */
  uint64_t id;
} WaShard;

/*
 Changes that are committed together.
 */
typedef struct {
  /*
   Its number.
   */
  uint64_t id;
} WaEdit;

/*
 A world that stays callable.
 */
typedef struct {
  /*
   Its number.
   */
  uint64_t id;
} WaHeldWorld;

/*
 Code that the host calls.
 */
typedef struct {
  /*
   Its number.
   */
  uint64_t id;
} WaHandle;

/*
 Told of each thing that is wrong with a store, once; the text lives during the call. It may be
 called on any thread.
 */
typedef void (*WaWarnFunction)(void *user, const char *message);

/*
 What happened between a session and its store.
 */
typedef struct {
  /*
   Artifacts that were found.
   */
  uint64_t hits;
  /*
   Artifacts that were asked for and not found.
   */
  uint64_t misses;
  /*
   Artifacts that were found and not used.
   */
  uint64_t rejected;
  /*
   Bytes of those that were found.
   */
  uint64_t bytes_read;
  /*
   Artifacts that were put.
   */
  uint64_t puts;
  /*
   Their bytes.
   */
  uint64_t bytes_written;
} WaStoreStats;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 The message of this thread's last call that did not succeed; valid until the next such call.
 */
const char *wa_last_error(void);

/*
 Gives infer's result: bytes for codegen, and the summary, which is all that callers see.
 */
WaStatus wa_give_inferred(WaContext context,
                          const uint8_t *body,
                          size_t body_length,
                          const uint8_t *summary,
                          size_t summary_length);

/*
 Gives codegen's result.
 */
WaStatus wa_give_code(WaContext context, const uint8_t *code, size_t length);

/*
 Gives link's result: what is called, and anything that `unlink` needs.
 */
WaStatus wa_give_entry(WaContext context, const void *entry, void *data);

/*
 Fails the stage: the program is wrong, as the message says. The stage returns what this does.
 */
WaStatus wa_fail(WaContext context, const char *message);

/*
 Infer: the instance that a call of `function` with these concrete argument types reaches.

 `NoMethod` and `Ambiguous` are answers, on which the stage depends as on any other.
 */
WaStatus wa_lookup(WaContext context,
                   const char *function,
                   const WaType *args,
                   size_t count,
                   WaInstance *instance);

/*
 Infer and codegen: the summary of an instance. `data` is null while it is being inferred
 (recursion). What is shown stays until the stage ends.
 */
WaStatus wa_summary(WaContext context, WaInstance instance, const uint8_t **data, size_t *length);

/*
 Infer: says that the result depends on an instance although the source does not call it.
 */
WaStatus wa_depends_on(WaContext context, WaInstance instance);

/*
 Infer: an external fact. `data` is null if there is none, on which the stage depends too.
 */
WaStatus wa_external(WaContext context, const char *key, const uint8_t **data, size_t *length);

/*
 Codegen: what infer gave for an instance, to inline or fold it.
 */
WaStatus wa_body(WaContext context, WaInstance instance, const uint8_t **data, size_t *length);

/*
 Codegen: says that the code calls an instance, so that link may ask for its cell.
 */
WaStatus wa_calls(WaContext context, WaInstance instance);

/*
 Link: the cell of an instance that codegen said it calls: a word that holds the entry, stable
 as long as what is being linked lives.
 */
WaStatus wa_cell(WaContext context, WaInstance instance, const void *const **cell);

/*
 Codegen and link: the shard that is compiled for.
 */
WaStatus wa_shard_name(WaContext context, const uint8_t **data, size_t *length);

/*
 Infer and codegen: the number of an instance in the bytes that this stage gives as its result.
 */
WaStatus wa_mention_instance(WaContext context, WaInstance instance, uint32_t *number);

/*
 Infer and codegen: the number of a type in the bytes that this stage gives as its result.
 */
WaStatus wa_mention_type(WaContext context, WaType ty, uint32_t *number);

/*
 Infer: the number of a type in the summary that this stage gives. A summary mentions no
 instances.
 */
WaStatus wa_mention_in_summary(WaContext context, WaType ty, uint32_t *number);

/*
 Codegen and link: the instance that a number means in the bytes of `whose`. With the instance
 that is being compiled these are the stage's input; with another one, in codegen, what
 `wa_body` shows of it.
 */
WaStatus wa_mentioned_instance(WaContext context,
                               WaInstance whose,
                               uint32_t number,
                               WaInstance *instance);

/*
 Codegen and link: the type that a number means in the bytes of `whose`, as for
 `wa_mentioned_instance`.
 */
WaStatus wa_mentioned_type(WaContext context, WaInstance whose, uint32_t number, WaType *ty);

/*
 Infer and codegen: the type that a number means in the summary of an instance.
 */
WaStatus wa_mentioned_in_summary(WaContext context, WaInstance whose, uint32_t number, WaType *ty);

/*
 Opens a session in world 0 with nothing defined. `threads` run codegen; 0 is one per core.
 */
WaStatus wa_session_open(const WaStages *stages, size_t threads, WaSession *session);

/*
 Closes a session. Its handles and held worlds keep it alive until they are released.
 */
WaStatus wa_session_close(WaSession session);

/*
 The newest world.
 */
WaStatus wa_world(WaSession session, uint64_t *world);

/*
 The type of which every type is a subtype.
 */
WaStatus wa_type_any(WaSession session, WaType *ty);

/*
 Declares a nominal type under a parent (`wa_type_any`, or one that was declared abstract).
 Each call declares another type, also under a known name.

 In a store a type is known by its name, its kind and its parent. What else stages know of it
 (fields, sizes) is an external fact that they ask for. Results that mention a type of whose
 name there are several are not stored.
 */
WaStatus wa_type_declare(WaSession session,
                         const char *name,
                         WaType parent,
                         bool is_abstract,
                         WaType *ty);

/*
 The union of types.
 */
WaStatus wa_type_union(WaSession session, const WaType *members, size_t count, WaType *ty);

/*
 Makes a table of methods.
 */
WaStatus wa_table_new(WaSession session, const char *name, WaTable *table);

/*
 The view that stacks tables over the base table, the top one first.
 */
WaStatus wa_view(WaSession session, const WaTable *tables, size_t count, WaView *view);

/*
 The shard with this name over a view.
 */
WaStatus wa_shard(WaSession session, const char *name, WaView view, WaShard *shard);

/*
 Begins an edit. It is released by `wa_edit_commit` or `wa_edit_release`.
 */
WaStatus wa_edit_new(WaSession session, WaEdit *edit);

/*
 Forgets an edit.
 */
WaStatus wa_edit_release(WaEdit edit);

/*
 Defines a method on parameter types, or replaces the one with the same signature. The source
 is copied; equal bytes are an equal source.
 */
WaStatus wa_edit_define(WaEdit edit,
                        WaTable table,
                        const char *function,
                        const WaType *params,
                        size_t count,
                        const uint8_t *source,
                        size_t length);

/*
 Deletes the method with exactly these parameter types.
 */
WaStatus wa_edit_delete(WaEdit edit,
                        WaTable table,
                        const char *function,
                        const WaType *params,
                        size_t count);

/*
 Sets an external fact, or removes it where `value` is null.
 */
WaStatus wa_edit_external(WaEdit edit, const char *key, const uint8_t *value, size_t length);

/*
 Commits an edit as one new world, whose number is given. If it is refused the world is as
 before. The edit is released in any case.
 */
WaStatus wa_edit_commit(WaEdit edit, uint64_t *world);

/*
 Keeps a world callable until it is released; without this the newest 64 are.
 */
WaStatus wa_world_hold(WaSession session, uint64_t world, WaHeldWorld *held);

/*
 Releases a held world.
 */
WaStatus wa_world_release(WaHeldWorld held);

/*
 The instance that a call of `function` with these concrete argument types reaches in the
 newest world.
 */
WaStatus wa_find(WaSession session,
                 WaView view,
                 const char *function,
                 const WaType *args,
                 size_t count,
                 WaInstance *instance);

/*
 A handle on an instance in a shard. With `world` 0 it follows the newest world; otherwise it
 is of that world. Nothing is compiled yet.
 */
WaStatus wa_handle_new(WaSession session,
                       WaInstance instance,
                       WaShard shard,
                       uint64_t world,
                       WaHandle *handle);

/*
 Releases a handle.
 */
WaStatus wa_handle_release(WaHandle handle);

/*
 The entry to call, compiled if it is not up to date. It lives until this is asked again of the
 same handle, or the handle is released.
 */
WaStatus wa_handle_entry(WaHandle handle, const void **entry);

/*
 Tells each stage that ran, or whose result came from the store, since this was last asked, in
 the order in which they ended, with the instance's name, which lives during the call.
 */
WaStatus wa_take_log(WaSession session, void (*each)(void *user,
                                                     WaStage stage,
                                                     WaOutcome outcome,
                                                     const char *name), void *user);

/*
 Tells what bringing an instance up to date in a shard after the newest edit did: each of the
 three stages in order and, for one that ran, why: the edge that differed, then on lines of
 their own what is under it, down to the edit. The text lives during the call.
 */
WaStatus wa_explain(WaSession session,
                    WaInstance instance,
                    WaShard shard,
                    void (*each)(void *user, WaStage stage, WaOutcome outcome, const char *because),
                    void *user);

/*
 Keeps results in a folder from here on, instead of in the one before. `folder` null is the
 default place of this user, which the environment variable `WORLDAGE_CACHE_DIR` moves;
 `shared` is a folder that machines share, or null. `producer` names the compiler that the
 stages are, its version, and all else that their results depend on: results of another one
 are never used. A folder that cannot be used is a warning, and the session goes on without.
 */
WaStatus wa_store_on(WaSession session,
                     const char *folder,
                     const char *shared,
                     const char *producer,
                     WaWarnFunction warn,
                     void *user);

/*
 Keeps nothing from here on; what was put before is written when this returns. Without a store
 this does nothing.
 */
WaStatus wa_store_off(WaSession session);

/*
 Forgets everything in the store's folders, which other processes may use, too.
 */
WaStatus wa_store_clear(WaSession session);

/*
 What happened since the store was turned on, after what was put before is written.
 */
WaStatus wa_store_stats(WaSession session, WaStoreStats *stats);

/*
 Whether an infer or codegen that would run is an error instead, which says why: for what must
 be in the store. What was refused may run once it is off.
 */
WaStatus wa_set_strict(WaSession session, bool strict);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* WORLDAGE_H */
