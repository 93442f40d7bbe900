// What the thread of a zone loader runs: one zone, then it ends, and with it goes the memory that reading took.

import { parentPort, workerData } from 'node:worker_threads';
import { loadZoneFile } from './zone-file.ts';
import type { ZoneLoad } from './zone-loader.ts';

const { path, origin } = workerData as ZoneLoad;
parentPort!.postMessage(loadZoneFile(path, origin));
