// Which adapters can work here, and why the others cannot: for `wideplane version` and the log of `wideplane up`.

import { readFileSync } from 'node:fs';
import { type Adapter, ADAPTERS } from '../config/types/net-interface.ts';
import type { LoadedAddon } from '../native/addon.ts';
import type { LoadedCap } from '../port/cap.ts';
import type { LoadedRawSocket } from '../native/raw-socket.ts';
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
  rawSocket: LoadedRawSocket;
  /** Capabilities that the process has. */
  effective: CapabilitySet;
  /** Whether the kernel has AF_XDP. */
  kernelHasXdp: boolean;
};

const CAPABILITIES: Record<Adapter, readonly CapabilityName[]> = {
  'packet-ring': ['net_raw'],
  udp: [],
  'raw-ip': ['net_raw'],
  tap: ['net_admin'],
  tun: ['net_admin'],
  'af-xdp': ['net_raw', 'net_admin', 'bpf'],
  pcap: ['net_raw'],
  'capture-file': [],
};

export function reportAdapters(facts: AdapterFacts): AdapterReport[] {
  return ADAPTERS.map((adapter) => ({
    adapter,
    problem: problemOf(adapter, facts),
    weakness: weaknessOf(adapter, facts),
  }));
}

const WORKS_WITHOUT_ADDON: ReadonlySet<Adapter> = new Set(['raw-ip', 'pcap', 'capture-file']);

function weaknessOf(adapter: Adapter, { addon, cap }: AdapterFacts): string | undefined {
  if (adapter === 'pcap' && cap.cap !== undefined) return cap.weakness;
  if (adapter === 'raw-ip' && addon.addon === undefined) return `by the package raw-socket, IPv4 only: ${addon.reason}`;
  return undefined;
}

function problemOf(
  adapter: Adapter,
  { addon, cap, rawSocket, effective, kernelHasXdp }: AdapterFacts,
): string | undefined {
  if (!WORKS_WITHOUT_ADDON.has(adapter) && addon.addon === undefined) return addon.reason;
  if (adapter === 'raw-ip' && addon.addon === undefined && rawSocket.rawSocket === undefined) {
    return `${addon.reason}; and ${rawSocket.reason}`;
  }
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
