/* What a network device is at this moment; changes are watched through rtnetlink. */
#include "addon.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* A link with all its attributes takes a few KB. */
#define ANSWER_OCTETS 32768

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
	if (!ask_ethtool(descriptor, &request, &driver)) driver.driver[0] = driver.bus_info[0] = 0;
	napi_value result, name, bus;
	napi_create_object(env, &result);
	napi_create_string_utf8(env, driver.bus_info, strnlen(driver.bus_info, sizeof driver.bus_info), &bus);
	napi_create_string_utf8(env, driver.driver, strnlen(driver.driver, sizeof driver.driver), &name);
	napi_set_named_property(env, result, "driver", name);
	napi_set_named_property(env, result, "bus", bus);
	napi_set_named_property(env, result, "active", offloads_of(env, descriptor, &request));
	close(descriptor);
	return result;
}

/* Copies the name of the queueing discipline that the kernel tells in its answer. */
static void find_qdisc(const uint8_t *answer, size_t octets, char *name, size_t size)
{
	const struct nlmsghdr *message = (const void *)answer;
	if (!NLMSG_OK(message, octets) || message->nlmsg_type != RTM_NEWLINK) return;
	const struct ifinfomsg *link = NLMSG_DATA(message);
	int left = (int)IFLA_PAYLOAD(message);
	for (const struct rtattr *at = IFLA_RTA(link); RTA_OK(at, left); at = RTA_NEXT(at, left)) {
		if (at->rta_type != IFLA_QDISC) continue;
		snprintf(name, size, "%.*s", (int)RTA_PAYLOAD(at), (const char *)RTA_DATA(at));
		return;
	}
}

static napi_value device_queueing(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	char device[IF_NAMESIZE] = "", name[IF_NAMESIZE] = "";
	napi_get_value_string_utf8(env, arguments.values[0], device, sizeof device, NULL);
	struct {
		struct nlmsghdr header;
		struct ifinfomsg link;
	} question = {
		.header = {.nlmsg_len = sizeof question, .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST},
		.link = {.ifi_index = (int)if_nametoindex(device)},
	};
	if (question.link.ifi_index == 0) return throw_errno(env, device, "if_nametoindex", errno);
	int descriptor = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (descriptor < 0) return throw_errno(env, device, "socket", errno);
	static _Thread_local _Alignas(struct nlmsghdr) uint8_t answer[ANSWER_OCTETS];
	ssize_t octets = send(descriptor, &question, sizeof question, 0);
	if (octets >= 0) octets = recv(descriptor, answer, sizeof answer, 0);
	int error = errno;
	close(descriptor);
	if (octets < 0) return throw_errno(env, device, "RTM_GETLINK", error);
	find_qdisc(answer, (size_t)octets, name, sizeof name);
	napi_value result;
	napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &result);
	return result;
}

/* 1 where the device does not say: it has one, or does not let them be counted. */
static napi_value device_queues(napi_env env, napi_callback_info info, bool transmit)
{
	struct arguments arguments = arguments_of(env, info);
	struct ifreq request = {.ifr_name = ""};
	napi_get_value_string_utf8(env, arguments.values[0], request.ifr_name, sizeof request.ifr_name, NULL);
	int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (descriptor < 0) return throw_errno(env, request.ifr_name, "socket", errno);
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	if (!ask_ethtool(descriptor, &request, &channels)) channels = (struct ethtool_channels){.combined_count = 1};
	close(descriptor);
	uint32_t queues = (transmit ? channels.tx_count : channels.rx_count) + channels.combined_count;
	return integer_value(env, queues == 0 ? 1 : (int32_t)queues);
}

static napi_value device_receive_queues(napi_env env, napi_callback_info info) { return device_queues(env, info, false); }
static napi_value device_transmit_queues(napi_env env, napi_callback_info info) { return device_queues(env, info, true); }

/* [device, address, whether it is up] of each address, whether its device has a carrier or not. */
static napi_value device_addresses(napi_env env, napi_callback_info info)
{
	(void)info;
	struct ifaddrs *all = NULL;
	if (getifaddrs(&all) < 0) return throw_errno(env, "addresses", "getifaddrs", errno);
	napi_value list;
	uint32_t found = 0;
	napi_create_array(env, &list);
	for (const struct ifaddrs *each = all; each != NULL; each = each->ifa_next) {
		const struct sockaddr *own = each->ifa_addr;
		char text[INET6_ADDRSTRLEN];
		const void *octets = own == NULL ? NULL
			: own->sa_family == AF_INET ? (const void *)&((const struct sockaddr_in *)own)->sin_addr
			: own->sa_family == AF_INET6 ? (const void *)&((const struct sockaddr_in6 *)own)->sin6_addr
			: NULL;
		if (octets == NULL || inet_ntop(own->sa_family, octets, text, sizeof text) == NULL) continue;
		napi_value entry, device, address, is_up;
		napi_create_array_with_length(env, 3, &entry);
		napi_create_string_utf8(env, each->ifa_name, NAPI_AUTO_LENGTH, &device);
		napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &address);
		napi_get_boolean(env, (each->ifa_flags & IFF_UP) != 0, &is_up);
		napi_set_element(env, entry, 0, device);
		napi_set_element(env, entry, 1, address);
		napi_set_element(env, entry, 2, is_up);
		napi_set_element(env, list, found++, entry);
	}
	freeifaddrs(all);
	return list;
}

static const struct function_entry functions[] = {
	{"deviceAddresses", device_addresses},
	{"deviceQuery", device_query},
	{"deviceReceiveQueues", device_receive_queues},
	{"deviceTransmitQueues", device_transmit_queues},
	{"deviceQueueing", device_queueing},
	{"deviceOffloads", device_offloads},
};

void device_register(napi_env env, napi_value exports) { export_functions(env, exports, ENTRIES(functions)); }
