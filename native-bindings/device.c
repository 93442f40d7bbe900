/* What a network device is at this moment; changes are watched through rtnetlink. */
#include "addon.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdlib.h>
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

static bool ask_ethtool(int descriptor, struct ifreq *request, void *command)
{
	request->ifr_data = command;
	return ioctl(descriptor, SIOCETHTOOL, request) == 0;
}

/* The names of the offloads that are on; an empty array where the device does not say. */
static napi_value offloads_of(napi_env env, int descriptor, struct ifreq *request)
{
	napi_value names;
	napi_create_array(env, &names);
	struct {
		struct ethtool_sset_info info;
		uint32_t count;
	} set = {.info = {.cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ULL << ETH_SS_FEATURES}};
	if (!ask_ethtool(descriptor, request, &set) || set.info.sset_mask == 0) return names;
	uint32_t count = set.count, blocks = (count + 31) / 32, found = 0;
	struct ethtool_gstrings *strings = calloc(1, sizeof *strings + (size_t)count * ETH_GSTRING_LEN);
	struct ethtool_gfeatures *features =
		calloc(1, sizeof *features + blocks * sizeof(struct ethtool_get_features_block));
	if (strings != NULL && features != NULL) {
		strings->cmd = ETHTOOL_GSTRINGS;
		strings->string_set = ETH_SS_FEATURES;
		strings->len = count;
		features->cmd = ETHTOOL_GFEATURES;
		features->size = blocks;
		if (ask_ethtool(descriptor, request, strings) && ask_ethtool(descriptor, request, features)) {
			for (uint32_t i = 0; i < count; i++) {
				if ((features->features[i / 32].active >> (i % 32) & 1) == 0) continue;
				const char *text = (const char *)strings->data + (size_t)i * ETH_GSTRING_LEN;
				napi_value name;
				napi_create_string_utf8(env, text, strnlen(text, ETH_GSTRING_LEN), &name);
				napi_set_element(env, names, found++, name);
			}
		}
	}
	free(strings);
	free(features);
	return names;
}

static napi_value device_offloads(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct ifreq request = {.ifr_name = ""};
	napi_get_value_string_utf8(env, arguments.values[0], request.ifr_name, sizeof request.ifr_name, NULL);
	int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (descriptor < 0) return throw_errno(env, request.ifr_name, "socket", errno);
	struct ethtool_drvinfo driver = {.cmd = ETHTOOL_GDRVINFO};
	if (!ask_ethtool(descriptor, &request, &driver)) driver.bus_info[0] = 0;
	napi_value result, bus;
	napi_create_object(env, &result);
	napi_create_string_utf8(env, driver.bus_info, strnlen(driver.bus_info, sizeof driver.bus_info), &bus);
	napi_set_named_property(env, result, "bus", bus);
	napi_set_named_property(env, result, "active", offloads_of(env, descriptor, &request));
	close(descriptor);
	return result;
}

/* 1 where the device does not say: it has one, or does not let them be counted. */
static napi_value device_receive_queues(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct ifreq request = {.ifr_name = ""};
	napi_get_value_string_utf8(env, arguments.values[0], request.ifr_name, sizeof request.ifr_name, NULL);
	int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (descriptor < 0) return throw_errno(env, request.ifr_name, "socket", errno);
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	uint32_t queues = ask_ethtool(descriptor, &request, &channels) ? channels.rx_count + channels.combined_count : 1;
	close(descriptor);
	return integer_value(env, queues == 0 ? 1 : (int32_t)queues);
}

static const struct function_entry functions[] = {
	{"deviceQuery", device_query},
	{"deviceReceiveQueues", device_receive_queues},
	{"deviceOffloads", device_offloads},
};

void device_register(napi_env env, napi_value exports) { export_functions(env, exports, ENTRIES(functions)); }
