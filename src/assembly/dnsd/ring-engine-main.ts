// What the thread of a ring engine runs: no event loop, one native call a batch. Messages are looked for between two batches.

import { workerData } from 'node:worker_threads';
import { FrameReplier, IPV4_REPLY_OVERHEAD, IPV6_REPLY_OVERHEAD } from '../../dns/frame-reply.ts';
import { Responder } from '../../dns/responder.ts';
import type { ResponderOptions } from '../../dns/responder-options.ts';
import { loadAddon, REPLY_STRIDE } from '../../native/addon.ts';
import { QUERY_SLOTS, QueryRing, querySlotOctets } from '../../net/query-ring.ts';
import { QUERY_SOCKETS_CAPACITY, QuerySockets, querySocketsOctets } from '../../net/query-sockets.ts';
import { Arena } from '../../packet/arena.ts';
import { ETHERNET_HEADER_OCTETS } from '../../wire/ethernet.ts';
import { collectGarbage } from './collect-garbage.ts';
import { noteDecision, tellDecisions } from './decisions.ts';
import { CLIENT_OFFSET, type DeferredQuery, type EngineRequest, EngineWord } from './engine-protocol.ts';
import { say, takeRequests } from './engine-requests.ts';
import { inlineMore } from './inline-more.ts';
import { QueryLog } from './query-log.ts';
import { RingLoss, type RingEngineSetup } from './ring-engine.ts';
import { Sources } from './source-data.ts';

/** What every sender takes (RFC 1035, section 2.3.4): where not even that fits a frame there is no way to answer. */
const LEAST_UDP_OCTETS = 512;
/** The largest `max-udp-size` of a profile. */
const MAX_UDP_OCTETS = 4096;

inlineMore();
const setup = workerData as RingEngineSetup;
const control = new Int32Array(setup.control);
const { id, counts, frameCounts, losses, answers } = setup;
const log = new QueryLog(setup.log);
const loaded = loadAddon();
if (loaded.addon === undefined) throw new Error(loaded.reason);
const { addon } = loaded;
const { form = 'packet-ring', ...place } = setup.ring;
const slotOctets = querySlotOctets(MAX_UDP_OCTETS);
const arena = addon.arenaCreate(form === 'af-xdp' ? querySocketsOctets(addon, place.device) : QUERY_SLOTS * slotOctets);
const memory = new Arena(addon.arenaBuffer(arena));
const ring =
  form === 'af-xdp' ? new QuerySockets(addon, arena, place) : new QueryRing(addon, arena, 0, { ...place, slotOctets });
const mtu = ring.mtu();
const sources = new Sources(noteDecision);
let responder = responderOf(answers);
const replier = new FrameReplier(responder, memory.bytes, memory.words, form === 'af-xdp');
let deferred: DeferredQuery[] = [];
let seen = 0;

try {
  if (messageRoom() < LEAST_UDP_OCTETS) throw new Error(`${place.device}: an MTU of ${mtu} is too small for replies`);
  say({ kind: 'ready' });
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
    takeRequests(fulfil);
  }
  const now = Math.floor(Date.now() / 1000);
  if (now !== replier.sender.now) {
    noteLosses();
    if (ring.mtu() < mtu) throw new Error(`${place.device}: its MTU is less than it was`);
  }
  replier.sender.now = now;
  responder.tap = log.isWanted ? log : undefined;
  if (ring.step(make) === 0) return;
  counts.set(responder.counts);
  frameCounts.set(replier.counts);
  tellDecisions();
  if (deferred.length === 0) return;
  say({ kind: 'deferred', queries: deferred });
  deferred = [];
}

function responderOf(options: ResponderOptions): Responder {
  return new Responder(sources.current, { ...options, udpOctets: Math.min(options.udpOctets, messageRoom()) });
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
  const words = new Int32Array(REPLY_STRIDE);
  words[1] = senderPort;
  new Uint8Array(words.buffer).set(
    memory.bytes.subarray(sender.addressAt, sender.addressAt + sender.addressOctets),
    CLIENT_OFFSET,
  );
  deferred.push({ id, words, octets: memory.bytes.slice(messageStart, messageEnd) });
}

/** The kernel is asked for them: not at every batch. */
function noteLosses(): void {
  const { overruns, failed } = ring.losses();
  losses[RingLoss.overruns] = overruns;
  losses[RingLoss.failed] = failed;
}

function fulfil(request: EngineRequest): undefined {
  if (request.kind === 'sources') {
    sources.follow(request.sources);
    responder.setSources(sources.current);
  } else if (request.kind === 'collect') {
    collectGarbage();
  } else if (request.kind === 'change') {
    const { counts: before } = responder;
    responder = responderOf(request.answers);
    replier.responder = responder;
    responder.counts.set(before);
  }
}
