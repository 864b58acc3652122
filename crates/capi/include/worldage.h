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

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 The message of this thread's last call that did not succeed; valid until the next such call.
 */
const char *wa_last_error(void);

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
 Tells each stage that ran since this was last asked, in the order in which they ended, with
 the instance's name, which lives during the call.
 */
WaStatus wa_take_log(WaSession session,
                     void (*each)(void *user, WaStage stage, const char *name),
                     void *user);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* WORLDAGE_H */
