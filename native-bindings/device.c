/* What a network device is at this moment; changes are watched through rtnetlink. */
#include "addon.h"

#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static napi_value device_query(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct ifreq request = {.ifr_name = ""};
	napi_get_value_string_utf8(env, arguments.values[0], request.ifr_name, sizeof request.ifr_name, NULL);
	int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (descriptor < 0) return throw_errno(env, request.ifr_name, "socket", errno);

	const char *syscall = NULL;
	int index = 0, mtu = 0, flags = 0, error = 0;
	void *address = NULL;
	napi_value octets = NULL, bytes = NULL, result = NULL;
	napi_create_arraybuffer(env, 6, &address, &octets);
	if (ioctl(descriptor, SIOCGIFINDEX, &request) < 0) syscall = "ioctl SIOCGIFINDEX", error = errno;
	else index = request.ifr_ifindex;
	if (error == 0 && ioctl(descriptor, SIOCGIFMTU, &request) < 0) syscall = "ioctl SIOCGIFMTU", error = errno;
	else mtu = request.ifr_mtu;
	if (error == 0 && ioctl(descriptor, SIOCGIFFLAGS, &request) < 0) syscall = "ioctl SIOCGIFFLAGS", error = errno;
	else flags = (unsigned short)request.ifr_flags;
	if (error == 0 && ioctl(descriptor, SIOCGIFHWADDR, &request) < 0) syscall = "ioctl SIOCGIFHWADDR", error = errno;
	else memcpy(address, request.ifr_hwaddr.sa_data, 6);
	close(descriptor);
	if (error != 0) return throw_errno(env, request.ifr_name, syscall, error);

	napi_create_typedarray(env, napi_uint8_array, 6, octets, 0, &bytes);
	napi_create_object(env, &result);
	napi_set_named_property(env, result, "index", integer_value(env, index));
	napi_set_named_property(env, result, "mtu", integer_value(env, mtu));
	napi_set_named_property(env, result, "flags", integer_value(env, flags));
	napi_set_named_property(env, result, "mac", bytes);
	return result;
}

static const struct function_entry functions[] = {{"deviceQuery", device_query}};

void device_register(napi_env env, napi_value exports) { export_functions(env, exports, ENTRIES(functions)); }
