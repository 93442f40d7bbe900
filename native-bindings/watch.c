/* Calls back on the event loop of a thread when a descriptor becomes readable: for sockets that node:net does not know. */
#include "addon.h"

#include <stdlib.h>
#include <uv.h>

struct watch {
	uv_poll_t poll;
	napi_env env;
	napi_ref callback;
	napi_async_context context;
	bool closing;
};

static void closed(uv_handle_t *handle) { free(handle->data); }

static void stop(void *argument)
{
	struct watch *watch = argument;
	if (watch->closing) return;
	watch->closing = true;
	napi_delete_reference(watch->env, watch->callback);
	napi_async_destroy(watch->env, watch->context);
	uv_poll_stop(&watch->poll);
	uv_close((uv_handle_t *)&watch->poll, closed);
}

static void readable(uv_poll_t *poll, int status, int events)
{
	struct watch *watch = poll->data;
	napi_env env = watch->env;
	napi_handle_scope scope;
	napi_value callback, receiver;
	(void)status;
	(void)events;
	napi_open_handle_scope(env, &scope);
	napi_get_reference_value(env, watch->callback, &callback);
	napi_get_global(env, &receiver);
	if (napi_make_callback(env, watch->context, receiver, callback, 0, NULL, NULL) == napi_pending_exception) {
		napi_value thrown;
		napi_get_and_clear_last_exception(env, &thrown);
		napi_fatal_exception(env, thrown);
	}
	napi_close_handle_scope(env, scope);
}

static napi_value watch_readable(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	uv_loop_t *loop;
	napi_value name, result;
	struct watch *watch = calloc(1, sizeof *watch);
	if (watch == NULL) return throw_errno(env, "watchReadable", "calloc", ENOMEM);
	napi_get_uv_event_loop(env, &loop);
	int error = uv_poll_init(loop, &watch->poll, argument_integer(&arguments, 0));
	if (error != 0) {
		free(watch);
		return throw_errno(env, "watchReadable", "uv_poll_init", -error);
	}
	watch->env = env;
	watch->poll.data = watch;
	napi_create_string_utf8(env, "wideplane:readable", NAPI_AUTO_LENGTH, &name);
	napi_async_init(env, NULL, name, &watch->context);
	napi_create_reference(env, arguments.values[1], 1, &watch->callback);
	napi_add_env_cleanup_hook(env, stop, watch);
	uv_poll_start(&watch->poll, UV_READABLE, readable);
	napi_create_external(env, watch, NULL, NULL, &result);
	return result;
}

static napi_value unwatch(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	void *watch = NULL;
	napi_get_value_external(env, arguments.values[0], &watch);
	if (watch == NULL) return throw_errno(env, "unwatch", "handle", EBADF);
	napi_remove_env_cleanup_hook(env, stop, watch);
	stop(watch);
	return undefined_value(env);
}

static const struct function_entry functions[] = {{"watchReadable", watch_readable}, {"unwatch", unwatch}};

void watch_register(napi_env env, napi_value exports) { export_functions(env, exports, ENTRIES(functions)); }
