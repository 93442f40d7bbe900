// The program that `esp-*` measures: seals ESP packets with AES-128-GCM in batches, for as long as it is told to, and prints
// nanoseconds a packet.
//
//   node crypto-program.js BACKEND TEXT-OCTETS MILLISECONDS ASSOCIATIONS
//
// The text is what is encrypted, payload and trailer. It lies already where it shall lie, as a frame with headroom does. Filling
// the jobs counts.

import { Job, JOB_WORDS } from '../../src/ipsec/crypto.ts';
import { loadAddon } from '../../src/native/addon.ts';
import { type CryptoBackend, openCryptoBatch } from '../../src/net/batch-crypto.ts';
import { Arena } from '../../src/packet/arena.ts';

/** As many as the data plane takes from a port at once. */
const BATCH = 64;
/** Headroom and all: an odd number of lines of the cache, so that packets do not compete for the same sets. */
const SLOT_OCTETS = 2112;
const WARM_UP_MS = 200;
const TRAILER_OCTETS = 2;
const ESP_OCTETS = 8;
const IV_OCTETS = 8;

const [backend, textOctets, milliseconds, associations] = process.argv.slice(2);
const payloadOctets = Number(textOctets) - TRAILER_OCTETS;
const loaded = loadAddon();
if (loaded.addon === undefined) throw new Error(loaded.reason);
const arenaHandle = loaded.addon.arenaCreate(1 << 20);
const arena = new Arena(loaded.addon.arenaBuffer(arenaHandle));
const batch = openCryptoBatch(loaded.addon, arenaHandle, { backend: backend as CryptoBackend });
const { jobs } = batch;
const keys = Array.from({ length: Number(associations) }, (_, index) =>
  batch.openKey({ cipher: 'aes-gcm', mac: 'none' }, new Uint8Array(20).fill(index), new Uint8Array(0)),
);

let sequence = 0;
/** Which association a packet has: a row of numbers in which neighbours are far apart. */
let association = 0;

function sealBatch(): void {
  for (let index = 0; index < BATCH; index++) {
    const target = 4096 + index * SLOT_OCTETS;
    const row = index * JOB_WORDS;
    association = (association + 619) % keys.length;
    arena.words[(target + 4) >> 2] = ++sequence;
    jobs[row + Job.key] = keys[association]!;
    jobs[row + Job.source] = target + ESP_OCTETS + IV_OCTETS;
    jobs[row + Job.octets] = payloadOctets;
    jobs[row + Job.target] = target;
    jobs[row + Job.padOctets] = 0;
    jobs[row + Job.nextHeader] = 4;
    jobs[row + Job.extended] = 0;
  }
  batch.seal(BATCH);
}

function sealFor(ms: number): number {
  let packets = 0;
  const start = process.hrtime.bigint();
  let now = start;
  while (now - start < BigInt(ms) * 1_000_000n) {
    for (let round = 0; round < 100; round++) sealBatch();
    packets += 100 * BATCH;
    now = process.hrtime.bigint();
  }
  return Number(now - start) / packets;
}

sealFor(WARM_UP_MS);
const nanoseconds = sealFor(Number(milliseconds));
for (let index = 0; index < BATCH; index++) {
  if (jobs[index * JOB_WORDS + Job.status] !== 0) throw new Error(`job ${index} was refused`);
}
console.log(nanoseconds.toFixed(1));
