// A worker thread that opens one ESP packet with a key of the main thread, by a batch of its own.

import { parentPort, workerData } from 'node:worker_threads';
import { loadAddon } from '../../src/native/addon.ts';
import { openCryptoBatch } from '../../src/net/batch-crypto.ts';
import { setJob, statusOf } from './ipsec-crypto.ts';

const { arena, key, source, octets } = workerData as { arena: number; key: number; source: number; octets: number };
const loaded = loadAddon();
if (loaded.addon === undefined) throw new Error(loaded.reason);
const batch = openCryptoBatch(loaded.addon, arena);
setJob(batch.jobs, 0, { key, source, octets });
batch.open(1);
parentPort?.postMessage(statusOf(batch.jobs, 0));
