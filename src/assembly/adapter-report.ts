// Which adapters can work here, and why the others cannot: for `wideplane version` and the log of `wideplane up`.

import { readFileSync } from 'node:fs';
import { type Adapter, ADAPTERS } from '../config/types/net-interface.ts';
import type { LoadedAddon } from '../native/addon.ts';
import type { LoadedCap } from '../port/cap.ts';
import { type CapabilityName, capabilityLabel, type CapabilitySet, hasCapability } from '../supervise/capability.ts';

export type AdapterReport = {
  adapter: Adapter;
  /** Why it cannot work; undefined when it can. */
  problem: string | undefined;
  /** What it does badly here. */
  weakness: string | undefined;
};

export type AdapterFacts = {
  addon: LoadedAddon;
  cap: LoadedCap;
  /** Capabilities that the process has. */
  effective: CapabilitySet;
  /** Whether the kernel has AF_XDP. */
  kernelHasXdp: boolean;
};

const CAPABILITIES: Record<Adapter, readonly CapabilityName[]> = {
  'packet-ring': ['net_raw'],
  udp: [],
  tap: ['net_admin'],
  'af-xdp': ['net_raw', 'net_admin', 'bpf'],
  pcap: ['net_raw'],
  'capture-file': [],
};

export function reportAdapters(facts: AdapterFacts): AdapterReport[] {
  return ADAPTERS.map((adapter) => ({
    adapter,
    problem: problemOf(adapter, facts),
    weakness: adapter === 'pcap' && facts.cap.cap !== undefined ? facts.cap.weakness : undefined,
  }));
}

function problemOf(adapter: Adapter, { addon, cap, effective, kernelHasXdp }: AdapterFacts): string | undefined {
  const needsAddon = adapter !== 'pcap' && adapter !== 'capture-file';
  if (needsAddon && addon.addon === undefined) return addon.reason;
  if (adapter === 'pcap' && cap.cap === undefined) return cap.reason;
  if (adapter === 'af-xdp' && !kernelHasXdp) return 'this kernel has no AF_XDP sockets (CONFIG_XDP_SOCKETS)';
  const lacking = CAPABILITIES[adapter].filter((name) => !hasCapability(effective, name));
  return lacking.length === 0 ? undefined : `needs ${lacking.map(capabilityLabel).join(', ')}: start as root`;
}

/** Whether the kernel lists AF_XDP among its protocols. */
export function kernelHasXdp(): boolean {
  try {
    return /^XDP\s/m.test(readFileSync('/proc/net/protocols', 'utf8'));
  } catch {
    return false;
  }
}
