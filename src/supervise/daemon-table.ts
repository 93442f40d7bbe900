// The daemons: what `wideplane up` starts, in this order, and what each may do.

import type { DaemonName } from '../ipc/daemon-name.ts';
import type { CapabilityName } from './capability.ts';

export type { DaemonName };

export type DaemonEntry = {
  name: DaemonName;
  /** Its one job, for `--help`. */
  help: string;
  /** All that it keeps when it is started as root (docs/decisions/privileges.md). */
  capabilities: readonly CapabilityName[];
  /** Those of them that only few need: whoever needs one says so when it is missing. */
  rarelyNeeded: readonly CapabilityName[];
  /** What does not work when it must run without the others. */
  without: string;
};

export const DAEMONS: readonly DaemonEntry[] = [
  {
    name: 'configd',
    help: 'owns the configuration: validates, saves, publishes, serves tmsh',
    capabilities: [],
    rarelyNeeded: [],
    without: '',
  },
  {
    name: 'dataplaned',
    help: 'moves frames: ports, bridge, tunnels',
    capabilities: ['net_admin', 'net_raw', 'ipc_lock', 'bpf'],
    rarelyNeeded: ['ipc_lock', 'bpf'],
    without: 'interfaces that own or make their device cannot be opened',
  },
  {
    name: 'dnsd',
    help: 'answers DNS: listeners, zones',
    capabilities: ['net_bind_service', 'net_raw', 'net_admin', 'ipc_lock', 'bpf'],
    rarelyNeeded: ['net_bind_service', 'net_raw', 'net_admin', 'ipc_lock', 'bpf'],
    without: '',
  },
  {
    name: 'healthd',
    help: 'probes servers, and says who is alive',
    // The last three make programs of external monitors an account without rights.
    capabilities: ['net_raw', 'setuid', 'setgid', 'setpcap'],
    rarelyNeeded: ['net_raw', 'setuid', 'setgid', 'setpcap'],
    without: '',
  },
  {
    name: 'iqueryd',
    help: 'speaks iQuery: states, metrics and configuration of a mesh',
    capabilities: ['net_raw'],
    rarelyNeeded: ['net_raw'],
    without: '',
  },
  {
    name: 'metricsd',
    help: 'serves metrics of all daemons to Prometheus',
    capabilities: [],
    rarelyNeeded: [],
    without: '',
  },
];

/** The socket on which a daemon answers, inside the state directory. */
export const daemonSocket = (state: string, daemon: DaemonName): string => `${state}/${daemon}.sock`;
