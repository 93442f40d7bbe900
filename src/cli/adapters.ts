// The adapters that can work on this machine, for people.

import { readFileSync } from 'node:fs';
import { type AdapterReport, kernelHasXdp, reportAdapters } from '../assembly/adapter-report.ts';
import { loadAddon } from '../native/addon.ts';
import { loadCap } from '../port/cap.ts';
import { loadRawSocket } from '../native/raw-socket.ts';
import { parseCapabilities } from '../supervise/capability.ts';

export function adaptersHere(): AdapterReport[] {
  return reportAdapters({
    addon: loadAddon(),
    cap: loadCap(),
    rawSocket: loadRawSocket(),
    effective: parseCapabilities(readFileSync('/proc/self/status', 'utf8')).effective,
    kernelHasXdp: kernelHasXdp(),
  });
}

/** What to say of an adapter beside its name. */
export const adapterText = ({ problem, weakness }: AdapterReport): string =>
  problem !== undefined ? `cannot work: ${problem}` : weakness !== undefined ? `works; ${weakness}` : 'works';
