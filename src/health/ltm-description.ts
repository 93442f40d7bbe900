// Nodes, pools and virtual servers of this machine, as plain data: what the configuration says, resolved.

/** Whether somebody switched it off: `session user-disabled`, and `state user-down`, which also ends what goes on. */
export type LtmSwitches = { readonly isEnabled: boolean; readonly isForcedOffline: boolean };

export type LtmNode = LtmSwitches & {
  /** Full path. */
  readonly name: string;
  /** Canonical text without a route domain. */
  readonly address: string;
  /** Whether a monitor watches it, its own or the default one. */
  readonly isMonitored: boolean;
  /** Connections at a time; 0: no limit. */
  readonly connectionLimit: number;
};

export type LtmMember = LtmSwitches & {
  /** As in the pool: `/Common/10.1.1.1:80`. */
  readonly name: string;
  /** The node that it is on; undefined: none that is configured. */
  readonly node: string | undefined;
  readonly address: string;
  readonly port: number;
  /** Whether a monitor watches it, its own or that of the pool. */
  readonly isMonitored: boolean;
  readonly connectionLimit: number;
  /** The higher the sooner used. */
  readonly priorityGroup: number;
};

export type LtmPool = {
  readonly name: string;
  readonly members: readonly LtmMember[];
  /** Members of the highest priority groups that have to be usable before no further group is used; 0: all groups are used. */
  readonly minActiveMembers: number;
  /** Members that have to be up lest something is done to the machine; 0: none. */
  readonly minUpMembers: number;
};

export type LtmVirtual = {
  readonly name: string;
  /** Canonical text without a route domain; port 0: any. */
  readonly address: string;
  readonly port: number;
  readonly isEnabled: boolean;
  /** The pool's name; undefined: none. */
  readonly pool: string | undefined;
  readonly connectionLimit: number;
  /** `gtm-score`: what others may choose by. */
  readonly gtmScore: number;
};

export type LtmDescription = {
  readonly nodes: readonly LtmNode[];
  readonly pools: readonly LtmPool[];
  readonly virtuals: readonly LtmVirtual[];
};

/** The key of a member's watch. */
export function ltmMemberKey(pool: string, member: string): string {
  return `${pool} ${member}`;
}
