/* Asks a name server as fast as it answers, with so many questions on their way at a time, and prints answers a second and, on
 * request, how long one took.
 *
 *   dns-load --server ADDRESS --port PORT --questions FILE --window N --seconds S [--rate N] [--core N]
 *
 *   dns-load … --device DEVICE --from ADDRESS --from-mac MAC --to-mac MAC
 *
 * With --device questions leave as frames and answers are taken from a packet ring, which costs this program far less than sockets.
 * FILE has a name and the number of a type on each line. With --rate so many questions are asked in a second, and what is
 * printed is the 50th and the 99th percentile of microseconds until the answer. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "bench.h"
#include "dns-frames.h"

enum { BATCH = 64, MAX_OCTETS = 300, IDS = 65536, RECEIVE_OCTETS = 4096, HEADER = 12, MAX_LATENCIES = 4000000 };

struct question {
	uint16_t octets;
	uint8_t message[MAX_OCTETS];
};

static struct question *questions;
static unsigned question_count;
static int64_t asked_ns[IDS];
static uint32_t latencies[MAX_LATENCIES];
static unsigned latency_count;

static void add_question(const char *name, int type)
{
	if ((question_count & (question_count + 1)) == 0 || question_count == 0) {
		questions = realloc(questions, sizeof *questions * (question_count * 2 + 2));
		if (questions == NULL) die("realloc");
	}
	struct question *question = &questions[question_count++];
	memset(question, 0, sizeof *question);
	question->message[5] = 1;
	uint8_t *at = question->message + HEADER;
	while (*name != '\0') {
		const char *end = strchrnul(name, '.');
		*at++ = (uint8_t)(end - name);
		at = mempcpy(at, name, (size_t)(end - name));
		name = *end == '.' ? end + 1 : end;
	}
	*at++ = 0;
	*at++ = (uint8_t)(type >> 8);
	*at++ = (uint8_t)type;
	*at++ = 0;
	*at++ = 1;
	question->octets = (uint16_t)(at - question->message);
}

static void read_questions(const char *path)
{
	FILE *file = fopen(path, "r");
	char name[256];
	int type;
	if (file == NULL) die(path);
	while (fscanf(file, "%255s %d", name, &type) == 2) add_question(name, type);
	fclose(file);
	if (question_count == 0) die("no questions");
}

static struct mmsghdr sending[BATCH], receiving[BATCH];
static struct iovec sent_pieces[BATCH], received_pieces[BATCH];
static uint8_t sent_octets[BATCH][FRAME_HEADERS + MAX_OCTETS], received_octets[BATCH][RECEIVE_OCTETS];
static const uint8_t *answers_taken[BATCH];
static int has_frames;
static unsigned next_question;
static uint16_t next_id;

static void ask(int descriptor, unsigned count)
{
	int64_t now = now_ns();
	for (unsigned i = 0; i < count; i++) {
		const struct question *question = &questions[next_question];
		next_question = next_question + 1 == question_count ? 0 : next_question + 1;
		uint8_t *message = sent_octets[i] + FRAME_HEADERS;
		memcpy(message, question->message, question->octets);
		message[0] = (uint8_t)(next_id >> 8);
		message[1] = (uint8_t)next_id;
		asked_ns[next_id++] = now;
		sent_pieces[i] = (struct iovec){message, question->octets};
		if (has_frames) {
			frames_head(sent_octets[i], question->octets);
			sent_pieces[i] = (struct iovec){sent_octets[i], FRAME_HEADERS + (size_t)question->octets};
		}
		sending[i].msg_hdr = (struct msghdr){.msg_iov = &sent_pieces[i], .msg_iovlen = 1};
	}
	if (has_frames) {
		frames_send(sending, count);
		return;
	}
	for (unsigned sent = 0; sent < count;) {
		int done = sendmmsg(descriptor, sending + sent, count - sent, 0);
		/* A port that nobody listens on yet says so at the next call. */
		if (done < 0 && errno != ECONNREFUSED && errno != EINTR) die("sendmmsg");
		if (done > 0) sent += (unsigned)done;
	}
}

/* Takes what is there; waits as long as the socket does when there is nothing. Returns how many answers came. */
static unsigned take(int descriptor, int flags)
{
	int count = has_frames ? (int)frames_take(answers_taken, BATCH, flags == MSG_WAITFORONE)
			       : recvmmsg(descriptor, receiving, BATCH, flags, NULL);
	if (count < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != ECONNREFUSED) die("recvmmsg");
		return 0;
	}
	int64_t now = now_ns();
	for (int i = 0; i < count; i++) {
		const uint8_t *answer = has_frames ? answers_taken[i] : received_octets[i];
		unsigned id = (unsigned)answer[0] << 8 | answer[1];
		if (asked_ns[id] != 0 && latency_count < MAX_LATENCIES) latencies[latency_count++] = (uint32_t)(now - asked_ns[id]);
		asked_ns[id] = 0;
	}
	return (unsigned)count;
}

static int by_value(const void *one, const void *other)
{
	uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;
	return a < b ? -1 : a > b;
}

static void flood(int descriptor, unsigned window, double seconds)
{
	int64_t start = now_ns(), end = start + (int64_t)(seconds * 1e9), answers = 0;
	unsigned waiting = 0;
	while (now_ns() < end) {
		while (waiting < window) {
			unsigned count = window - waiting < BATCH ? window - waiting : BATCH;
			ask(descriptor, count);
			waiting += count;
		}
		unsigned count = take(descriptor, MSG_WAITFORONE);
		answers += count;
		/* What has not come by now is lost. */
		waiting = count == 0 ? 0 : waiting > count ? waiting - count : 0;
	}
	printf("{\"answersPerSecond\": %.0f}\n", (double)answers / ((double)(now_ns() - start) / 1e9));
}

static void at_rate(int descriptor, unsigned rate, double seconds)
{
	int64_t start = now_ns(), end = start + (int64_t)(seconds * 1e9), asked = 0;
	for (int64_t now = start; now < end; now = now_ns()) {
		int64_t due = (now - start) * rate / 1000000000u;
		if (asked < due) {
			ask(descriptor, 1);
			asked++;
		}
		take(descriptor, MSG_DONTWAIT);
	}
	usleep(100000);
	while (take(descriptor, MSG_DONTWAIT) > 0) continue;
	if (latency_count == 0) die("no answer");
	qsort(latencies, latency_count, sizeof latencies[0], by_value);
	printf("{\"p50Us\": %.1f, \"p99Us\": %.1f, \"answered\": %.4f}\n", latencies[latency_count / 2] / 1e3,
	       latencies[(uint64_t)latency_count * 99 / 100] / 1e3, (double)latency_count / (double)asked);
}

int main(int argc, char **argv)
{
	const char *server = option(argc, argv, "server", "127.0.0.1");
	unsigned rate = (unsigned)number_option(argc, argv, "rate", 0);
	double seconds = atof(option(argc, argv, "seconds", "1"));
	pin((int)number_option(argc, argv, "core", -1));
	read_questions(option(argc, argv, "questions", NULL));
	const char *device = option(argc, argv, "device", "");
	has_frames = device[0] != '\0';
	if (has_frames) {
		frames_open(device, option(argc, argv, "from-mac", NULL), option(argc, argv, "to-mac", NULL),
			    option(argc, argv, "from", NULL), server, (uint16_t)number_option(argc, argv, "port", 53));
	}
	int descriptor = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)number_option(argc, argv, "port", 53))};
	if (descriptor < 0) die("socket");
	if (inet_pton(AF_INET, server, &to.sin_addr) != 1) die(server);
	int room = 4 << 20;
	setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
	struct timeval wait = {.tv_usec = 100000};
	setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
	if (!has_frames && connect(descriptor, (struct sockaddr *)&to, sizeof to) < 0) die("connect");
	for (unsigned i = 0; i < BATCH; i++) {
		received_pieces[i] = (struct iovec){received_octets[i], RECEIVE_OCTETS};
		receiving[i].msg_hdr = (struct msghdr){.msg_iov = &received_pieces[i], .msg_iovlen = 1};
	}
	if (rate > 0) at_rate(descriptor, rate, seconds);
	else flood(descriptor, (unsigned)number_option(argc, argv, "window", 256), seconds);
	return 0;
}
