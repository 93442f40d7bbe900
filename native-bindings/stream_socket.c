/* What a TCP connection of somebody else's needs that Node cannot say. */
#include "addon.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

/* Milliseconds for which what was sent may stay unacknowledged before the connection is broken; 0: as the system has it. */
static napi_value tcp_user_timeout(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	unsigned int milliseconds = (unsigned int)argument_integer(&arguments, 1);
	int error = setsockopt(argument_integer(&arguments, 0), SOL_TCP, TCP_USER_TIMEOUT, &milliseconds, sizeof milliseconds) == 0 ? 0 : errno;
	return integer_value(env, error);
}

static const struct function_entry functions[] = {
	{"tcpUserTimeout", tcp_user_timeout},
};

void stream_socket_register(napi_env env, napi_value exports) { export_functions(env, exports, ENTRIES(functions)); }
