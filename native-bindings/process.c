/* What others may see of this process: nothing of its memory, where it has keys. */
#include "addon.h"

#include <sys/prctl.h>
#include <sys/resource.h>

/* No core files, and no ptrace or /proc/PID/mem for processes of the same account (prctl(2), PR_SET_DUMPABLE). */
static napi_value protect_memory(napi_env env, napi_callback_info info)
{
	(void)info;
	struct rlimit none = {.rlim_cur = 0, .rlim_max = 0};
	if (setrlimit(RLIMIT_CORE, &none) < 0) return throw_errno(env, "RLIMIT_CORE", "setrlimit", errno);
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) return throw_errno(env, "PR_SET_DUMPABLE", "prctl", errno);
	return undefined_value(env);
}

static const struct function_entry functions[] = {{"protectMemory", protect_memory}};

void process_register(napi_env env, napi_value exports) { export_functions(env, exports, ENTRIES(functions)); }
