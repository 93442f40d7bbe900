// What the thread of a socket engine runs: no event loop, one native call a batch. Messages are looked for between two batches.

import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { Responder, type Sender } from '../../dns/responder.ts';
import { ZoneSet } from '../../dns/zone-set.ts';
import { loadAddon } from '../../native/addon.ts';
import { REPLY_ARENA_OCTETS, type ReplyMaker, ReplySocket } from '../../net/reply-socket.ts';
import { Arena } from '../../packet/arena.ts';
import { type EngineSetup, EngineWord, type FromEngine, type ToEngine } from './socket-engine.ts';

const setup = workerData as EngineSetup;
const control = new Int32Array(setup.control);
const counts = new Float64Array(setup.counts);
const responder = new Responder(new ZoneSet(setup.zones), setup.responder);
const loaded = loadAddon();
if (loaded.addon === undefined) throw new Error(loaded.reason);
const { addon } = loaded;
const arena = addon.arenaCreate(REPLY_ARENA_OCTETS);
const socket = new ReplySocket(addon, arena, new Arena(addon.arenaBuffer(arena)), 0, setup.socket);
const sender: Sender = { addresses: new Uint8Array(0), addressAt: 0, addressOctets: 0, isStream: false, now: 0 };

const make: ReplyMaker = (octets, start, end, addresses, addressAt, addressOctets) => {
  sender.addresses = addresses;
  sender.addressAt = addressAt;
  sender.addressOctets = addressOctets;
  return responder.respond(octets, start, end, sender);
};

const listening: FromEngine = { kind: 'listening' };
parentPort!.postMessage(listening);
let seen = 0;
while (Atomics.load(control, EngineWord.stop) === 0) {
  const messages = Atomics.load(control, EngineWord.messages);
  if (messages !== seen) {
    seen = messages;
    takeMessages();
  }
  sender.now = Math.floor(Date.now() / 1000);
  if (socket.step(make) > 0) counts.set(responder.counts);
}
socket.close();

function takeMessages(): void {
  for (;;) {
    const received = receiveMessageOnPort(parentPort!) as { message: ToEngine } | undefined;
    if (received === undefined) return;
    responder.setZones(new ZoneSet(received.message.zones));
  }
}
