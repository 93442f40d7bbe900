// Capabilities: which a process holds (/proc/PID/status), and the setpriv arguments that leave a child with given ones.

/** Bit numbers of include/uapi/linux/capability.h, of those that matter here. */
export const CAPABILITY_BIT = {
  net_bind_service: 10,
  net_admin: 12,
  net_raw: 13,
  ipc_lock: 14,
  bpf: 39,
  setgid: 6,
  setuid: 7,
  setpcap: 8,
} as const;

export type CapabilityName = keyof typeof CAPABILITY_BIT;

/** A capability set as the kernel prints it. */
export type CapabilitySet = bigint;

export const hasCapability = (set: CapabilitySet, name: CapabilityName): boolean =>
  ((set >> BigInt(CAPABILITY_BIT[name])) & 1n) === 1n;

/** The name a manual page uses: CAP_NET_RAW. */
export const capabilityLabel = (name: CapabilityName): string => `CAP_${name.toUpperCase()}`;

export type ProcessCapabilities = { effective: CapabilitySet; permitted: CapabilitySet; bounding: CapabilitySet };

/** Reads the Cap lines of a /proc/PID/status; throws when they are missing. */
export function parseCapabilities(status: string): ProcessCapabilities {
  const field = (name: string): CapabilitySet => {
    const match = new RegExp(`^${name}:\\s*([0-9a-f]+)$`, 'm').exec(status);
    if (!match) throw new Error(`no ${name} in the process status`);
    return BigInt(`0x${match[1]!}`);
  };
  return { effective: field('CapEff'), permitted: field('CapPrm'), bounding: field('CapBnd') };
}

/** Who a child runs as; undefined: as its parent. */
export type Account = { name: string; uid: number; gid: number };

export type ChildPrivileges = {
  /** What the parent holds. */
  held: ProcessCapabilities;
  /** What the child should hold; what the parent lacks is left out. */
  wanted: readonly CapabilityName[];
  account: Account | undefined;
};

export const grantable = (held: ProcessCapabilities, wanted: readonly CapabilityName[]): CapabilityName[] =>
  wanted.filter((name) => hasCapability(held.permitted, name) && hasCapability(held.bounding, name));

/**
 * Arguments of setpriv(1) in front of the child's command. All four sets are named: uid 0 regains its bounding set at
 * exec, any other account keeps its ambient set. The child dies with its parent (PR_SET_PDEATHSIG), whatever kills that.
 */
export function setprivArguments(child: ChildPrivileges): string[] {
  const list = ['-all', ...grantable(child.held, child.wanted).map((name) => `+${name}`)].join(',');
  const result = ['--no-new-privs', '--pdeathsig=KILL'];
  if (hasCapability(child.held.effective, 'setpcap')) result.push(`--bounding-set=${list}`);
  result.push(`--inh-caps=${list}`, `--ambient-caps=${list}`);
  if (child.account) result.push(`--reuid=${child.account.uid}`, `--regid=${child.account.gid}`, '--init-groups');
  return result;
}
