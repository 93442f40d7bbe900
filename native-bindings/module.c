/* The module: handles, arguments, errors, and the list of what the addon exports. */
#include "addon.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define MAX_HANDLES 1024

static struct {
	pthread_mutex_t lock;
	struct {
		enum handle_kind kind;
		void *object;
	} entries[MAX_HANDLES];
} handles = {.lock = PTHREAD_MUTEX_INITIALIZER};

__thread int last_error;

int handle_add(enum handle_kind kind, void *object)
{
	int handle = -1;
	pthread_mutex_lock(&handles.lock);
	for (int i = 1; i < MAX_HANDLES && handle < 0; i++) {
		if (handles.entries[i].kind != HANDLE_FREE) continue;
		handles.entries[i].kind = kind;
		handles.entries[i].object = object;
		handle = i;
	}
	pthread_mutex_unlock(&handles.lock);
	return handle;
}

void *handle_find(enum handle_kind kind, int handle)
{
	if (handle < 1 || handle >= MAX_HANDLES || handles.entries[handle].kind != kind) return NULL;
	return handles.entries[handle].object;
}

void *handle_remove(enum handle_kind kind, int handle)
{
	pthread_mutex_lock(&handles.lock);
	void *object = handle_find(kind, handle);
	if (object != NULL) {
		handles.entries[handle].kind = HANDLE_FREE;
		handles.entries[handle].object = NULL;
	}
	pthread_mutex_unlock(&handles.lock);
	return object;
}

napi_value throw_errno(napi_env env, const char *subject, const char *syscall, int error)
{
	const char *name = strerrorname_np(error);
	char text[256];
	napi_value code, message, thrown, number, call;
	snprintf(text, sizeof text, "%s: %s: %s", subject, syscall, strerrordesc_np(error));
	napi_create_string_utf8(env, name == NULL ? "EUNKNOWN" : name, NAPI_AUTO_LENGTH, &code);
	napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &message);
	napi_create_error(env, code, message, &thrown);
	napi_create_int32(env, error, &number);
	napi_set_named_property(env, thrown, "errno", number);
	napi_create_string_utf8(env, syscall, NAPI_AUTO_LENGTH, &call);
	napi_set_named_property(env, thrown, "syscall", call);
	napi_throw(env, thrown);
	return NULL;
}

struct arguments arguments_of(napi_env env, napi_callback_info info)
{
	struct arguments arguments = {.env = env, .count = MAX_ARGUMENTS};
	napi_get_cb_info(env, info, &arguments.count, arguments.values, NULL, NULL);
	return arguments;
}

int32_t argument_integer(const struct arguments *arguments, unsigned index)
{
	int32_t value = 0;
	napi_get_value_int32(arguments->env, arguments->values[index], &value);
	return value;
}

struct span argument_array(const struct arguments *arguments, unsigned index)
{
	struct span span = {NULL, 0};
	napi_get_typedarray_info(arguments->env, arguments->values[index], NULL, &span.count, &span.data, NULL, NULL);
	return span;
}

static napi_value option(napi_env env, napi_value options, const char *name)
{
	napi_value value = NULL;
	napi_get_named_property(env, options, name, &value);
	return value;
}

double option_number(napi_env env, napi_value options, const char *name)
{
	double value = 0;
	napi_get_value_double(env, option(env, options, name), &value);
	return value;
}

bool option_boolean(napi_env env, napi_value options, const char *name)
{
	bool value = false;
	napi_get_value_bool(env, option(env, options, name), &value);
	return value;
}

void option_text(napi_env env, napi_value options, const char *name, char *into, size_t size)
{
	into[0] = '\0';
	napi_get_value_string_utf8(env, option(env, options, name), into, size, NULL);
}

napi_value integer_value(napi_env env, int32_t value)
{
	napi_value result = NULL;
	napi_create_int32(env, value, &result);
	return result;
}

napi_value integers_value(napi_env env, const int *values, unsigned count)
{
	napi_value result;
	napi_create_array_with_length(env, count, &result);
	for (unsigned i = 0; i < count; i++) napi_set_element(env, result, i, integer_value(env, values[i]));
	return result;
}

napi_value undefined_value(napi_env env)
{
	napi_value result = NULL;
	napi_get_undefined(env, &result);
	return result;
}

void export_functions(napi_env env, napi_value exports, const struct function_entry *entries, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		napi_value function;
		napi_create_function(env, entries[i].name, NAPI_AUTO_LENGTH, entries[i].call, NULL, &function);
		napi_set_named_property(env, exports, entries[i].name, function);
	}
}

static napi_value get_last_error(napi_env env, napi_callback_info info)
{
	(void)info;
	return integer_value(env, last_error);
}

static const struct function_entry functions[] = {{"lastError", get_last_error}};

NAPI_MODULE_INIT(/* napi_env env, napi_value exports */)
{
	export_functions(env, exports, ENTRIES(functions));
	arena_register(env, exports);
	packet_ring_register(env, exports);
	udp_socket_register(env, exports);
	raw_socket_register(env, exports);
	probe_socket_register(env, exports);
	stream_socket_register(env, exports);
	server_socket_register(env, exports);
	reply_socket_register(env, exports);
	query_ring_register(env, exports);
	tap_register(env, exports);
	underlay_tap_register(env, exports);
	xdp_socket_register(env, exports);
	wait_register(env, exports);
	netlink_register(env, exports);
	device_register(env, exports);
	watch_register(env, exports);
	esp_crypto_register(env, exports);
	process_register(env, exports);
	helper_program_register(env, exports);
	return exports;
}
