// Loads a zone from its file: small ones at once, large ones in a thread of their own, so that nobody waits meanwhile.

import { Worker } from 'node:worker_threads';
import { errorText } from '../../core/errors.ts';
import type { DomainName } from '../../dns/record.ts';
import { loadZoneFile, type LoadedZone } from './zone-file.ts';

/** What takes no longer than some tens of milliseconds. */
const SMALL_OCTETS = 1024 * 1024;

export type ZoneLoad = { readonly path: string; readonly origin: DomainName };

/** The zone; undefined where its text is large. */
export function loadSmallZone({ path, origin }: ZoneLoad): LoadedZone | undefined {
  return loadZoneFile(path, origin, SMALL_OCTETS);
}

/** The zone, however large its text is. The arrays of its table are shared, and so the thread hands them over uncopied. */
export async function loadLargeZone(load: ZoneLoad): Promise<LoadedZone> {
  const worker = new Worker(new URL('./zone-loader-main.js', import.meta.url), {
    workerData: load,
    name: 'zone-loader',
  });
  return new Promise((resolve) => {
    let loaded: LoadedZone | undefined;
    let failure = 'the thread that reads it has ended';
    worker.once('message', (message: LoadedZone) => (loaded = message));
    worker.once('error', (error) => (failure = errorText(error)));
    // Only then is the memory of the thread free.
    worker.once('exit', () =>
      resolve(loaded ?? { problems: [{ severity: 'error', text: `${load.path}: ${failure}` }] }),
    );
  });
}
