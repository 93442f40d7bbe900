// What the thread of a ring engine runs: no event loop, one native call a batch. Messages are looked for between two batches.

import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { Cookies } from '../../dns/cookie.ts';
import { FrameReplier, IPV4_REPLY_OVERHEAD, IPV6_REPLY_OVERHEAD } from '../../dns/frame-reply.ts';
import { Responder } from '../../dns/responder.ts';
import { ZoneSet } from '../../dns/zone-set.ts';
import { loadAddon } from '../../native/addon.ts';
import { QUERY_SLOTS, QueryRing, querySlotOctets } from '../../net/query-ring.ts';
import { QUERY_SOCKETS_CAPACITY, QuerySockets, querySocketsOctets } from '../../net/query-sockets.ts';
import { Arena } from '../../packet/arena.ts';
import { ETHERNET_HEADER_OCTETS } from '../../wire/ethernet.ts';
import { type ForwardedQuery, type FromRingEngine, RingLoss, type RingEngineSetup } from './ring-engine.ts';
import { EngineWord, type ToEngine } from './socket-engine.ts';

/** What every sender takes (RFC 1035, section 2.3.4): where not even that fits a frame there is no way to answer. */
const LEAST_UDP_OCTETS = 512;

const setup = workerData as RingEngineSetup;
const control = new Int32Array(setup.control);
const counts = new Float64Array(setup.counts);
const frameCounts = new Float64Array(setup.frameCounts);
const losses = new Float64Array(setup.losses);
const loaded = loadAddon();
if (loaded.addon === undefined) throw new Error(loaded.reason);
const { addon } = loaded;
const { cookieKey, ...options } = setup.responder;
const { form = 'packet-ring', ...place } = setup.ring;
const slotOctets = querySlotOctets(Math.max(options.udpOctets, LEAST_UDP_OCTETS));
const arena = addon.arenaCreate(form === 'af-xdp' ? querySocketsOctets(addon, place.device) : QUERY_SLOTS * slotOctets);
const memory = new Arena(addon.arenaBuffer(arena));
const ring =
  form === 'af-xdp' ? new QuerySockets(addon, arena, place) : new QueryRing(addon, arena, 0, { ...place, slotOctets });
const mtu = ring.mtu();
const responder = new Responder(new ZoneSet(setup.zones), {
  ...options,
  udpOctets: Math.min(options.udpOctets, messageRoom()),
  ...(cookieKey === undefined ? {} : { cookies: new Cookies(cookieKey) }),
});
const replier = new FrameReplier(responder, memory.bytes, memory.words, form === 'af-xdp');
let seen = 0;

try {
  if (messageRoom() < LEAST_UDP_OCTETS) throw new Error(`${place.device}: an MTU of ${mtu} is too small for replies`);
  post({ kind: 'listening' });
  while (Atomics.load(control, EngineWord.stop) === 0) answerBatch();
  noteLosses();
} finally {
  // Whatever happens: what it takes is lost to the kernel, and has to be answered by sockets from now on.
  ring.close();
}

function answerBatch(): void {
  const messages = Atomics.load(control, EngineWord.messages);
  if (messages !== seen) {
    seen = messages;
    takeMessages();
  }
  const now = Math.floor(Date.now() / 1000);
  if (now !== replier.sender.now) {
    noteLosses();
    if (ring.mtu() < mtu) throw new Error(`${place.device}: its MTU is less than it was`);
  }
  replier.sender.now = now;
  if (ring.step(make) === 0) return;
  counts.set(responder.counts);
  frameCounts.set(replier.counts);
}

/** Octets of a message at most, so that its reply fits a frame: nobody cuts it. */
function messageRoom(): number {
  const hasIpv6 = place.addresses.some(({ length }) => length === 16);
  const packetOctets = form === 'af-xdp' ? Math.min(mtu, QUERY_SOCKETS_CAPACITY - ETHERNET_HEADER_OCTETS) : mtu;
  return packetOctets - (hasIpv6 ? IPV6_REPLY_OVERHEAD : IPV4_REPLY_OVERHEAD);
}

function make(start: number, end: number, flags: number): number {
  const replyEnd = replier.reply(start, end, flags !== 0);
  if (replyEnd >= 0) return replyEnd;
  forward();
  return start;
}

function forward(): void {
  const { sender, messageStart, messageEnd, senderPort } = replier;
  const message: ForwardedQuery = {
    kind: 'forward',
    octets: memory.bytes.slice(messageStart, messageEnd),
    address: memory.bytes.slice(sender.addressAt, sender.addressAt + sender.addressOctets),
    port: senderPort,
  };
  post(message);
}

function post(message: FromRingEngine): void {
  parentPort!.postMessage(message);
}

/** The kernel is asked for them: not at every batch. */
function noteLosses(): void {
  const { overruns, failed } = ring.losses();
  losses[RingLoss.overruns] = overruns;
  losses[RingLoss.failed] = failed;
}

function takeMessages(): void {
  for (;;) {
    const received = receiveMessageOnPort(parentPort!) as { message: ToEngine } | undefined;
    if (received === undefined) return;
    responder.setZones(new ZoneSet(received.message.zones));
  }
}
