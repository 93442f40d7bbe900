// Entry of the worker thread of dataplaned.

import { parentPort, workerData } from 'node:worker_threads';
import { runWorkerLoop } from './worker-loop.ts';
import type { WorkerSetup } from './worker-protocol.ts';

if (parentPort === null) throw new Error('worker-main runs as a worker thread of dataplaned');
runWorkerLoop(workerData as WorkerSetup, parentPort);
