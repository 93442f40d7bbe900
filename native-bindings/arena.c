/* The arena: one reserved region of address space that every thread wraps, and that rings are mapped into. */
#include "addon.h"

#include <stdlib.h>
#include <sys/mman.h>

static napi_value arena_create(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	double octets = 0;
	napi_get_value_double(env, arguments.values[0], &octets);
	struct arena *arena = malloc(sizeof *arena);
	if (arena == NULL) return throw_errno(env, "arenaCreate", "malloc", ENOMEM);
	arena->octets = (size_t)octets;
	arena->base = mmap(NULL, arena->octets, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int error = arena->base == MAP_FAILED ? errno : 0;
	int handle = error != 0 ? -1 : handle_add(HANDLE_ARENA, arena);
	if (error == 0 && handle < 0) {
		munmap(arena->base, arena->octets);
		error = EMFILE;
	}
	if (error != 0) {
		free(arena);
		return throw_errno(env, "arenaCreate", "mmap", error);
	}
	return integer_value(env, handle);
}

/* The region is never unmapped: a thread that still holds a view of it would crash the process. */
static napi_value arena_buffer(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct arena *arena = handle_find(HANDLE_ARENA, argument_integer(&arguments, 0));
	if (arena == NULL) return throw_errno(env, "arenaBuffer", "handle", EBADF);
	napi_value buffer = NULL;
	if (napi_create_external_arraybuffer(env, arena->base, arena->octets, NULL, NULL, &buffer) != napi_ok)
		return throw_errno(env, "arenaBuffer", "napi_create_external_arraybuffer", ENOTSUP);
	return buffer;
}

static const struct function_entry functions[] = {{"arenaCreate", arena_create}, {"arenaBuffer", arena_buffer}};

void arena_register(napi_env env, napi_value exports) { export_functions(env, exports, ENTRIES(functions)); }
